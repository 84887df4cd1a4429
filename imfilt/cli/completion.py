"""Completion for shells: scripts in which everything is written out, so that no Python runs at a TAB."""

import argparse
import re
import shlex
import textwrap

SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE", "PATH", "DIR", "KERNEL", "METHOD")


def script(shell, commands):
    """What completes `imfilt` in a shell.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
    commands : dict
        Name -> (summary, ArgumentParser). An action takes files if its metavar is one of FILES.

    Returns
    -------
    str
    """
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def _options(parser):
    return [one for one in parser._actions if one.option_strings and one.help is not argparse.SUPPRESS]


def _positionals(parser):
    return [one for one in parser._actions if not one.option_strings and one.help is not argparse.SUPPRESS]


def _choices(action):
    return [str(one) for one in action.choices or ()]


def _takes_files(action):
    return not action.choices and action.metavar in FILES


def _help(parser, action):
    return _short(parser._get_formatter()._expand_help(action)) if action.help else ""


def _short(text):
    """The first part of a help text, for a list; what is in brackets stays whole."""
    first = re.split(r"[.;] (?![^(]*\))", " ".join(text.split()))[0]
    return textwrap.shorten(first.removesuffix("."), 72, placeholder="...")


def _shared(commands, entries):
    """Entry -> names of the commands that have it: most are in many, and the script is the shorter."""
    found: dict = {}
    for name, (_, parser) in commands.items():
        for entry in entries(parser):
            found.setdefault(entry, []).append(name)
    return found


# --- bash ---

# Files are left to readline, which minds quotes, ~ and blanks in names. As a rule it takes --mode=x for three words.
BASH = """# imfilt completion bash
_imfilt() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]//_/-}
    local before= files= word words=()
    if [[ $cur == --*=* ]]; then before=${cur%%=*}= prev=${cur%%=*} cur=${cur#*=}; fi
    if [[ $cur == "=" ]]; then cur=; fi
    if [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        words=(@COMMANDS@)
    else
        case $command:$prev:$cur in
@CASES@
        esac
    fi
    for word in "${words[@]}"; do
        if [[ $word == "$cur"* ]]; then
            printf -v word %q "$word"
            COMPREPLY+=("$before$word")
        fi
    done
    if [[ $files ]]; then compopt -o default; fi
}
complete -F _imfilt imfilt
"""


def _bash(commands):
    def found(actions):
        words = shlex.join(word for action in actions for word in _choices(action))
        return f"words=({words}) files={'1' if any(map(_takes_files, actions)) else ''}"

    def values(parser):
        for action in _options(parser):
            if action.nargs != 0:
                yield from ((f"{shlex.quote(word)}:*", found([action])) for word in action.option_strings)

    def flags(parser):
        yield "*:-*", f"words=({shlex.join(word for action in _options(parser) for word in action.option_strings)})"

    def rest(parser):
        yield "*", found(_positionals(parser))

    cases = [
        f"        {'|'.join(f'{shlex.quote(name)}:{pattern}' for name in names)}) {what};;"
        for entries in (values, flags, rest)  # the first that fits is taken
        for (pattern, what), names in _shared(commands, entries).items()
    ]
    words = shlex.join([*commands, "--help", "--version"])
    return BASH.replace("@COMMANDS@", words).replace("@CASES@", "\n".join(cases))


# --- zsh ---

# A file in $fpath is run as the function that it defines.
ZSH = """#compdef imfilt
# imfilt completion zsh
_imfilt() {
    local context state line name=${words[2]//_/-}
    local -a found
    if (( CURRENT == 2 )); then
        found=(
@COMMANDS@
        )
        if [[ $PREFIX == -* ]]; then found=(--help --version); fi
        _describe -t commands command found
        return
    fi
@CASES@
    shift words
    (( CURRENT-- ))
    _arguments -S : $found
}
if [[ $funcstack[1] == _imfilt ]]; then _imfilt "$@"; else compdef _imfilt imfilt; fi
"""


def _zsh(commands):
    def bare(text):  # what _describe and _arguments take for their own
        return re.sub(r"([\\:\[\]])", r"\\\1", text)

    def value(action):
        words = shlex.join(_choices(action)).replace(":", "\\:")  # zsh evaluates them
        return f":value:{f'({words})' if words else '_files' if _takes_files(action) else ' '}"

    def specs(parser):
        for action in _options(parser):
            text = bare(_help(parser, action))
            for word in action.option_strings:
                if action.nargs == 0:
                    yield f"*{word}[{text}]"
                else:
                    joined = "=" if word.startswith("--") else "+"
                    times = action.nargs if isinstance(action.nargs, int) else 1
                    yield f"*{word}{joined}[{text}]{value(action) * times}"
        for place, action in enumerate(_positionals(parser), 1):
            if action.nargs not in (None, "?"):
                yield f"*{value(action)}"
                break
            yield f"{place}{value(action)}"

    described = [f"        {shlex.quote(f'{bare(name)}:{bare(_short(text))}')}" for name, (text, _) in commands.items()]
    cases = [
        f"    case $name in {'|'.join(map(shlex.quote, names))}) found+=({shlex.quote(spec)});; esac"
        for spec, names in _shared(commands, specs).items()
    ]
    return ZSH.replace("@COMMANDS@", "\n".join(described)).replace("@CASES@", "\n".join(cases))


# --- fish ---

FISH = """# imfilt completion fish
function __imfilt_is
    set -l words (commandline -opc)
    set -q words[2]; and contains -- (string replace -a _ - -- $words[2]) $argv
end
complete -c imfilt -e
complete -c imfilt -f
"""


def _fish(commands):
    def quoted(text):
        return text if re.fullmatch(r"[\w./-]+", text) else "'" + re.sub(r"([\\'])", r"\\\1", text) + "'"

    def described(text):
        return f" -d {quoted(text)}" if text else ""

    def words(action):
        return f" -a {quoted(' '.join(map(quoted, _choices(action))))}"  # fish evaluates them

    def entries(parser):
        for action in _options(parser):
            line = ""
            for word in action.option_strings:
                kind = "l" if word.startswith("--") else "s" if len(word) == 2 else "o"
                line += f" -{kind} {quoted(word.lstrip('-'))}"
            if action.nargs != 0:
                line += f" -x{words(action)}" if action.choices else " -r -F" if _takes_files(action) else " -x"
            yield line + described(_help(parser, action))
        for action in _positionals(parser):
            if action.choices:
                yield words(action)
            elif _takes_files(action):
                yield " -F"

    first = "complete -c imfilt -n 'test (count (commandline -opc)) -eq 1'"
    lines = [f"{first} -l help", f"{first} -l version"]
    lines += [f"{first} -a {quoted(quoted(name))}{described(_short(text))}" for name, (text, _) in commands.items()]
    for entry, names in _shared(commands, entries).items():
        when = f"__imfilt_is {' '.join(map(quoted, names))}"
        lines.append(f"complete -c imfilt -n {quoted(when)}{entry}")
    return FISH + "\n".join(lines) + "\n"
