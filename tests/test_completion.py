"""Completion, in the shells themselves."""

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from imfilt import cli
from imfilt.cli.completion import SHELLS, script

NASTY = 'it\'s "quoted" [or] a:b $HOME `date` \\ 100%% ! *\n  twice; and more'


def commands():
    """Two commands with all that a parser can hold."""
    one = argparse.ArgumentParser("imfilt one-two")
    one.add_argument("files", nargs="+", metavar="FILE")
    one.add_argument("-m", "--mode", choices=("near", "wrap"), help=NASTY, default="near")
    one.add_argument("--mask", metavar="FILE", help="%(default)s: a file")
    one.add_argument("--kernel", metavar="KERNEL")
    one.add_argument("--sigma", metavar="X", type=float)
    one.add_argument("--force", action="store_true")
    one.add_argument("--no-clip", "--clip", action="store_true")
    one.add_argument("--secret", help=argparse.SUPPRESS)
    other = argparse.ArgumentParser("imfilt other")
    other.add_argument("shell", choices=("bash", "zsh"))
    return {"one-two": (NASTY.replace("%%", "%"), one), "other": ("it's other", other)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "with space.png"):
        (tmp_path / name).touch()
    for shell in SHELLS:
        (tmp_path / f".{shell}").write_text(script(shell, commands()))
    return tmp_path


def shell(name):
    return pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed"))


CASES = [
    (("o",), {"one-two", "other"}),
    (("--v",), {"--version"}),
    (("one-two", "--m"), {"--mode", "--mask"}),
    (("one-two", "--s"), {"--sigma"}),
    (("one-two", "--mode", ""), {"near", "wrap"}),
    (("one-two", "--mode", "w"), {"wrap"}),
    (("one-two", "ph"), {"photo.png"}),
    (("one-two", "--mask", "wi"), {"with space.png"}),
    (("one-two", "--kernel", "ph"), {"photo.png"}),
    (("one-two", "photo.png", "wi"), {"with space.png"}),
    (("one-two", "photo.png", "--fo"), {"--force"}),
    (("one-two", "--sigma", ""), set()),
    (("other", "z"), {"zsh"}),
    (("other", "ph"), set()),
]


def in_bash(words):
    line = 'source .bash; COMP_WORDS=(imfilt "$@"); COMP_CWORD=$#; _imfilt; printf "%s\\n" "${COMPREPLY[@]}"'
    run = subprocess.run(["bash", "--norc", "-c", line, "bash", *words], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return {one for one in run.stdout.splitlines() if one}


def in_fish(words):
    line = "source .fish; complete -C $argv[1]"
    typed = " ".join(["imfilt", *(word.replace(" ", "\\ ") for word in words)])
    run = subprocess.run(["fish", "--no-config", "-c", line, typed], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return {one.partition("\t")[0] for one in run.stdout.splitlines()}


@pytest.mark.parametrize("name", [shell("bash"), shell("fish")])
@pytest.mark.parametrize(("words", "expected"), CASES, ids=str)
def test_words(folder, name, words, expected):
    found = {"bash": in_bash, "fish": in_fish}[name](words)
    assert {one for one in found if not one.startswith("." + name)} == expected


def test_bash_minds_an_equals_sign(folder):
    assert in_bash(("one-two", "--mode", "=", "w")) == {"wrap"}
    assert in_bash(("one-two", "--mode", "=")) == {"near", "wrap"}


class Terminal:
    """A zsh at a terminal."""

    def __init__(self, folder):
        self.process, self.master = pty.fork()
        if not self.process:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "COLUMNS": "200"})
        self.type(
            "PROMPT='> '; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source .zsh\necho rea''dy\n"
        )
        self.wait_for("ready")

    def type(self, text):
        os.write(self.master, text.encode())

    def seen(self, seconds):
        found, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                found += os.read(self.master, 65536).decode(errors="replace")
        return found

    def wait_for(self, text):
        found, end = "", time.monotonic() + 20
        while text not in found:
            assert time.monotonic() < end, found
            found += self.seen(0.1)

    def completed(self, text):
        """What a line becomes at TAB, shown by making it an argument; zsh takes back the blank or = that it added."""
        self.type(f"{text}\t")
        self.seen(0.4)
        self.type("\x01print -r -- {{{'\x05'}}}\n")
        found, end = "", time.monotonic() + 10
        while not (match := re.search(r"\{\{\{(imfilt[^{}']*)\}\}\}\r?\n(?!.*print)", found)):
            assert time.monotonic() < end, found
            found += self.seen(0.1)
        return match.group(1)

    def close(self):
        self.type("\x03exit\n")
        os.close(self.master)
        os.waitpid(self.process, 0)


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(folder):
    assert subprocess.run(["zsh", "-n", ".zsh"], check=False).returncode == 0
    zsh = Terminal(folder)
    try:
        for typed, becomes in [
            ("imfilt one", "imfilt one-two"),
            ("imfilt --v", "imfilt --version"),
            ("imfilt one-two --mo", "imfilt one-two --mode"),
            ("imfilt one-two --mode=w", "imfilt one-two --mode=wrap"),
            ("imfilt one-two --mode w", "imfilt one-two --mode wrap"),
            ("imfilt one-two --fo", "imfilt one-two --force"),
            ("imfilt one-two ph", "imfilt one-two photo.png"),
            ("imfilt one-two --mask wi", "imfilt one-two --mask with\\ space.png"),
            ("imfilt one-two photo.png --sig", "imfilt one-two photo.png --sigma"),
            ("imfilt other z", "imfilt other zsh"),
            ("imfilt other ph", "imfilt other ph"),
        ]:
            assert zsh.completed(typed) == becomes
    finally:
        zsh.close()


@pytest.mark.parametrize("name", SHELLS)
def test_the_command_writes_scripts_that_its_shell_reads(name, tmp_path, capsys):
    assert cli.main(["completion", name]) == 0
    text = capsys.readouterr().out
    assert all(
        word in text for word in ("unsharp-mask", "--num-iter" if name == "bash" else "num-iter", "scikit-image")
    )
    if shutil.which(name):
        (tmp_path / "script").write_text(text)
        assert subprocess.run([name, "-n", tmp_path / "script"], check=False).returncode == 0
