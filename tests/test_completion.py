"""Completion, in the shells themselves."""

import argparse
import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from imfilt import cli
from imfilt.cli.completion import SHELLS, script

TEXT = 'it\'s "quoted" [or] a:b: $HOME `date` \\ 100% ! * (see; that)'  # what a list shows of NASTY
NASTY = TEXT.replace("%", "%%").replace(" [", "\n   [") + "; twice. And more"
WORDS = ("$(touch made)", "it's", "a b", "c:d", "near")


def commands():
    """Two commands with all that a parser can hold."""
    one = argparse.ArgumentParser("imfilt one-two")
    one.add_argument("files", nargs="+", metavar="FILE")
    one.add_argument("-m", "--mode", choices=("near", "wrap"), help=NASTY, default="near")
    one.add_argument("--mask", metavar="FILE", help="%(default)s: a file", default="all")
    one.add_argument("--to", metavar="DIR")
    one.add_argument("--sigma", metavar="X", type=float)
    one.add_argument("--depth", choices=(8, 16), type=int)
    one.add_argument("--pair", nargs=2, choices=("left", "right"))
    one.add_argument("--words", choices=WORDS)
    one.add_argument("-f", "--force", action="store_true")
    one.add_argument("--clip", action=argparse.BooleanOptionalAction)
    one.add_argument("--secret", help=argparse.SUPPRESS)
    other = argparse.ArgumentParser("imfilt other")
    other.add_argument("shell", choices=("bash", "zsh"))
    other.add_argument("--mode", choices=("far",), metavar="FILE")
    return {"one-two": (NASTY.replace("%%", "%"), one), "other": ("it's other", other)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "with space.png", "it's $HOME.png", "other"):
        (tmp_path / name).touch()
    for shell in SHELLS:
        (tmp_path / f".{shell}").write_text(script(shell, commands()))
    yield tmp_path
    assert not (tmp_path / "made").exists()  # by a choice that a shell took for code


def needs(name, *others):
    mark = pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed")
    return pytest.param(name, *others, marks=mark)


CASES = [
    (("",), {"one-two", "other"}),
    (("ot",), {"other"}),
    (("--v",), {"--version"}),
    (("one-two", "--m"), {"--mode", "--mask"}),
    (("one_two", "--m"), {"--mode", "--mask"}),
    (("one-two", "--no"), {"--no-clip"}),
    (("one-two", "--se"), set()),
    (("one-two", "--mode", ""), {"near", "wrap"}),
    (("one-two", "-m", ""), {"near", "wrap"}),
    (("one-two", "--mode", "w"), {"wrap"}),
    (("one-two", "--depth", ""), {"8", "16"}),
    (("one-two", "--words", ""), set(WORDS)),
    (("one-two", "ph"), {"photo.png"}),
    (("one-two", "--mask", "wi"), {"with space.png"}),
    (("one-two", "--to", "wi"), {"with space.png"}),
    (("one-two", "photo.png", "it"), {"it's $HOME.png"}),
    (("one-two", "photo.png", "--fo"), {"--force"}),
    (("one-two", "other", "--mode", ""), {"near", "wrap"}),
    (("one-two", "--sigma", ""), set()),
    (("other", "--mode", ""), {"far"}),
    (("other", "z"), {"zsh"}),
    (("other", "ph"), set()),
    (("neither", ""), set()),
]

# Readline completes files where bash tells it to, and only in a terminal.
IN_BASH = """
compopt() { [[ $* == "-o default" ]] && compgen -f -- "${COMP_WORDS[COMP_CWORD]}"; }
source .bash; COMP_WORDS=(imfilt "$@"); COMP_CWORD=$#; _imfilt
for word in "${COMPREPLY[@]}"; do eval "printf '%s\\n' $word"; done
"""


def lines(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return run.stdout.splitlines()


def in_bash(*words):
    return set(lines("bash", "--norc", "-c", IN_BASH, "bash", *words))


def in_fish(typed):
    """What may stand there, and what is said of it."""
    found = lines("fish", "--no-config", "-c", "source .fish; complete -C $argv[1]", typed)
    return {word: text for word, _, text in (line.partition("\t") for line in found)}


@pytest.mark.parametrize(("words", "expected"), CASES, ids=str)
@pytest.mark.parametrize("name", [needs("bash"), needs("fish")])
def test_words(folder, name, words, expected):
    if name == "bash":
        found = in_bash(*words) - ({"--help", "--version"} if words == ("",) else set())
    else:
        found = set(in_fish(" ".join(["imfilt", *words])))
    assert found == expected


@pytest.mark.parametrize("name", [needs("bash")])
def test_bash_takes_an_equals_sign_for_a_word_or_not(folder, name):
    assert in_bash("one-two", "--mode", "=", "w") == {"wrap"}
    assert in_bash("one-two", "--mode", "=") == {"near", "wrap"}
    assert in_bash("one-two", "--mode=w") == {"--mode=wrap"}
    assert in_bash("one-two", "--mask", "=", "ph") == {"photo.png"}


@pytest.mark.parametrize("name", [needs("fish")])
def test_fish_shows_texts_as_they_are(folder, name):
    assert in_fish("imfilt one-two --m") == {"--mode": TEXT, "--mask": "all: a file"}
    assert in_fish("imfilt o") == {"one-two": TEXT, "other": "it's other"}
    assert set(in_fish("imfilt one-two --mode=w")) == {"--mode=wrap"}
    assert set(in_fish("imfilt one-two --mask=ph")) == {"--mask=photo.png"}


RC = {
    "bash": """
        PS1='> '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
        show() { printf '<<%s>>\\n' "$READLINE_LINE"; READLINE_LINE=; }
        bind -x '"\\C-t": show'
        eval "$(cat .bash)"
    """,
    "zsh": """
        PROMPT='> '; unset zle_bracketed_paste; unsetopt beep; bindkey -e
        show() { zle -I; print -r -- "<<$BUFFER>>"; BUFFER=; }
        zle -N show; bindkey '^T' show; autoload -Uz compinit
    """,
}
COMMAND = {"bash": ["bash", "--rcfile", ".rc", "-i"], "zsh": ["zsh", "-d", "-i"]}


@contextlib.contextmanager
def terminal(shell, rc=""):
    """What a line becomes at TAB in a shell at a terminal, and what is seen meanwhile. Ctrl-T tells and empties it."""

    def wait_for(pattern):
        found, end = "", time.monotonic() + 30
        while not (match := re.search(pattern, found)):
            assert select.select([process.stdout], [], [], max(end - time.monotonic(), 0))[0], found
            part = os.read(process.stdout.fileno(), 65536)
            assert part, found
            found += part.decode(errors="replace")
        return match, found

    def completed(typed):
        os.write(process.stdin.fileno(), f"{typed}\t\x14".encode())
        match, seen = wait_for("<<(.*)>>\r*\n")
        return match.group(1), seen

    for name in (".rc", ".zshrc"):
        with open(name, "w") as file:
            file.write(f"stty cols 200 rows 50; {RC[shell]}\n{rc}\necho rea''dy\n")
    with subprocess.Popen(
        # A process of one thread to fork in, which pytest's may not be.
        [sys.executable, "-c", f"import pty; pty.spawn({COMMAND[shell]})"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "TERM": "dumb", "ZDOTDIR": os.getcwd(), "HOME": os.getcwd()},
    ) as process:  # fmt: skip
        try:
            wait_for("ready\r*\n[^>]*> ")
            yield completed
        finally:
            process.kill()  # its terminal goes with it, and so does the shell


LINES = [
    ("imfilt one", "imfilt one-two "),
    ("imfilt --v", "imfilt --version "),
    ("imfilt one-two --mode w", "imfilt one-two --mode wrap "),
    ("imfilt one-two --mode=w", "imfilt one-two --mode=wrap "),
    ("imfilt one-two -m w", "imfilt one-two -m wrap "),
    ("imfilt one-two --fo", "imfilt one-two --force "),
    ("imfilt one_two --fo", "imfilt one_two --force "),
    ("imfilt one-two --se", "imfilt one-two --se"),
    ("imfilt one-two --words n", "imfilt one-two --words near "),
    ("imfilt one-two ph", "imfilt one-two photo.png "),
    ("imfilt one-two ~/ph", "imfilt one-two ~/photo.png "),
    ("imfilt one-two 'wi", "imfilt one-two 'with space.png' "),
    ("imfilt one-two with\\ s", "imfilt one-two with\\ space.png "),
    ("imfilt one-two it", "imfilt one-two it\\'s\\ \\$HOME.png "),
    ("imfilt one-two --mask wi", "imfilt one-two --mask with\\ space.png "),
    ("imfilt one-two --mask=wi", "imfilt one-two --mask=with\\ space.png "),
    ("imfilt one-two --sigma ph", "imfilt one-two --sigma ph"),
    ("imfilt one-two photo.png --cl", "imfilt one-two photo.png --clip "),
    ("imfilt other z", "imfilt other zsh "),
    ("imfilt other --mode f", "imfilt other --mode far "),
    ("imfilt other ph", "imfilt other ph"),
]


@pytest.mark.parametrize("name", [needs("bash")])
def test_lines_in_bash(folder, name):
    with terminal(name) as completed:
        for typed, becomes in LINES:
            assert completed(typed)[0] == becomes
        assert completed("imfilt one-two --words a")[0] == "imfilt one-two --words a\\ b "


@pytest.mark.parametrize(
    ("name", "rc"),
    [
        needs("zsh", "compinit -u -D; source .zsh"),
        needs("zsh", "mkdir f; cp .zsh f/_imfilt; fpath=($PWD/f $fpath); compinit -u -D"),
    ],
    ids=["sourced", "found in fpath"],
)
def test_lines_in_zsh(folder, name, rc):
    assert lines("zsh", "-n", ".zsh") == []
    with terminal(name, rc) as completed:
        for typed, becomes in LINES:
            assert completed(typed)[0].rstrip("=") == becomes
        assert completed("imfilt one-two --words a")[0] == "imfilt one-two --words a\\ b "
        assert completed("imfilt one-two --words c")[0] == "imfilt one-two --words c:d "
        assert completed("imfilt one-two --words i")[0] == "imfilt one-two --words it\\'s "
        assert completed("imfilt one-two --words '$")[0] == "imfilt one-two --words '$(touch made)' "
        assert completed("imfilt one-two --pair left r")[0] == "imfilt one-two --pair left right "
        assert completed("imfilt one-two -mw")[0] == "imfilt one-two -mwrap "
        assert completed("imfilt one-two -- --fo")[0] == "imfilt one-two -- --fo"
        assert completed("imfilt one-two --sig")[0] == "imfilt one-two --sigma="
        assert completed("imfilt other zsh ba")[0] == "imfilt other zsh ba"
        _, seen = completed("imfilt one-two --m")
        assert f"-- {TEXT}" in seen
        assert "-- all: a file" in seen
        assert f"one-two  -- {TEXT}" in completed("imfilt o")[1]
        assert "\\$\\(touch\\ made\\)" in completed("imfilt one-two --words ")[1]


@pytest.mark.parametrize("name", SHELLS)
def test_the_command_writes_scripts_that_its_shell_reads(name, tmp_path, capsys):
    assert cli.main(["completion", name]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("unsharp-mask", "num-iter", "scikit-image"))
    if shutil.which(name):
        (tmp_path / "script").write_text(text)
        assert lines(name, "-n", tmp_path / "script") == []
