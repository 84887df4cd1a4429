"""Completion for shells: scripts in which everything is written out, so that no Python runs at a TAB."""

import argparse

SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE", "PATH", "KERNEL", "METHOD")


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
    """(words, help, values, takes files) of each option that is shown; values is None for a flag."""
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.option_strings and action.help is not argparse.SUPPRESS:
            values = None if action.nargs == 0 else [str(one) for one in action.choices or ()]
            text = " ".join(formatter._expand_help(action).split()) if action.help else ""
            yield action.option_strings, text, values, values is not None and not values and _takes_files(action)


def _takes_files(action):
    return action.metavar in FILES


def _positional(parser):
    """What stands without an option: its choices, and whether it takes files."""
    for action in parser._actions:
        if not action.option_strings:
            return [str(one) for one in action.choices or ()], not action.choices and _takes_files(action)
    return [], False


def _quoted(text):
    """In single quotes, for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _short(text):
    """The first part of a help text, for a list."""
    text = " ".join(text.split())
    for end in (". ", "; ", ": "):
        text = text.partition(end)[0]
    return text if len(text) <= 70 else text[:67] + "..."


# --- bash ---

BASH = """# imfilt completion bash
_imfilt() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]//_/-} words= files=
    if [[ $cur == "=" ]]; then cur=; fi
    if [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        words=@COMMANDS@
    else
        case "$command:$prev" in
@VALUES@
        *)
            case "$command" in
@OPTIONS@
            esac;;
        esac
    fi
    if [[ -n $words ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"); fi
    if [[ -n $files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -F _imfilt imfilt
"""


def _bash(commands):
    values, options = [], []
    for name, (_, parser) in commands.items():
        flags = []
        for words, _, choices, files in _options(parser):
            flags += words
            if choices is not None:
                found = f"words={_quoted(' '.join(choices))}" if choices else "files=1" if files else ":"
                values.append(f"        {'|'.join(f'{name}:{word}' for word in words)}) {found};;")
        choices, files = _positional(parser)
        rest = f"words={_quoted(' '.join(choices))}" if choices else "files=1" if files else ":"
        options.append(
            f"            {name}) if [[ $cur == -* ]]; then words={_quoted(' '.join(flags))}; else {rest}; fi;;"
        )
    text = BASH.replace("@COMMANDS@", _quoted(" ".join([*commands, "--help", "--version"])))
    return text.replace("@VALUES@", "\n".join(values)).replace("@OPTIONS@", "\n".join(options))


# --- zsh ---

ZSH = """#compdef imfilt
# imfilt completion zsh
_imfilt() {
    local context state line
    local -a commands
    commands=(
@COMMANDS@
    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        [[ $PREFIX == -* ]] && compadd -- --help --version
        return
    fi
    local name=${words[2]//_/-}
    shift words
    (( CURRENT-- ))
    case $name in
@OPTIONS@
    esac
}
if [[ $funcstack[1] == _imfilt ]]; then _imfilt "$@"; else compdef _imfilt imfilt; fi
"""


def _zsh(commands):
    def bare(text):  # what _describe and _arguments take for their own
        return text.replace("\\", "\\\\").replace(":", "\\:").replace("[", "\\[").replace("]", "\\]")

    described = [f"        {_quoted(f'{name}:{bare(_short(text))}')}" for name, (text, _) in commands.items()]
    cases = []
    for name, (_, parser) in commands.items():
        specs = []
        for words, text, choices, files in _options(parser):
            for word in words:
                takes = ""
                if choices is not None:
                    what = f"({' '.join(choices)})" if choices else "_files" if files else " "
                    takes = f":value:{what}"
                joined = "=" if choices is not None and word.startswith("--") else ""
                specs.append(_quoted(f"*{word}{joined}[{bare(_short(text))}]{takes}"))
        choices, files = _positional(parser)
        if choices:
            specs.append(_quoted(f"1:word:({' '.join(choices)})"))
        if files:
            specs.append(_quoted("*:file:_files"))
        cases.append(f"    {name}) _arguments -S {' '.join(specs)};;")
    return ZSH.replace("@COMMANDS@", "\n".join(described)).replace("@OPTIONS@", "\n".join(cases))


# --- fish ---


def _fish(commands):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    first = "'__fish_use_subcommand'"
    lines = [
        "# imfilt completion fish",
        "complete -c imfilt -f",
        f"complete -c imfilt -n {first} -l help -d 'what there is'",
        f"complete -c imfilt -n {first} -l version",
    ]
    for name, (text, parser) in commands.items():
        lines.append(f"complete -c imfilt -n {first} -a {quoted(name)} -d {quoted(_short(text))}")
        seen = f"'__fish_seen_subcommand_from {name}'"
        for words, text_, choices, files in _options(parser):
            line = f"complete -c imfilt -n {seen}"
            line += "".join(f" -l {word[2:]}" if word.startswith("--") else f" -s {word[1:]}" for word in words)
            if choices is not None:
                line += f" -x -a {quoted(' '.join(choices))}" if choices else " -r -F" if files else " -x"
            lines.append(f"{line} -d {quoted(_short(text_))}")
        choices, files = _positional(parser)
        if choices:
            lines.append(f"complete -c imfilt -n {seen} -a {quoted(' '.join(choices))}")
        if files:
            lines.append(f"complete -c imfilt -n {seen} -F")
    return "\n".join(lines) + "\n"
