"""The README's lines for the shell, one by one, as somebody would type them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SECTION = re.search(r"## From the shell\n(.*?)\n## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
LINES = [line.strip().split("  #")[0].strip() for line in SECTION.splitlines() if re.match(r" {4}(imfilt|curl) ", line)]
QUOTED = re.findall(r"`((?:eval \"\$\()?imfilt [^`]+)`", SECTION)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the lines speak of, and a command `imfilt`."""
    place = tmp_path_factory.mktemp("readme")
    with Image.open(ROOT / "photos" / "coffee.png") as image:
        photo = image.convert("RGB").resize((150, 100))
    for name in (
        "photo.jpg",
        "photo.png",
        "copy.png",
        "scans/1.tif",
        "scans/2.tif",
        "holiday/a.jpg",
        "holiday/sea/b.png",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(place / name)
    command = place / "bin" / "imfilt"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imfilt "$@"\n')
    command.chmod(0o755)
    (place / "bin" / "curl").write_text("#!/bin/sh\nexec cat photo.jpg\n")
    (place / "bin" / "curl").chmod(0o755)
    return place


def typed(line, folder):
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_there_are_lines():
    assert len(LINES) > 15
    assert len(QUOTED) >= 4


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("line", LINES)
def test_line(line, folder):
    result = typed(line, folder)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr
    for output in re.findall(r"(?:-o |> )(\S+\.\w+)", line):
        if "{" not in output:
            assert (folder / output).stat().st_size > 0


@pytest.mark.parametrize("line", QUOTED)
def test_what_stands_in_sentences(line, folder):
    result = typed(line, folder)
    assert result.returncode == 0, result.stderr


def test_help_is_what_it_says(folder):
    shown = re.search(r"\$ (imfilt help \w+)\n {4}\.\.\.\n(.*?)\n\n", SECTION, re.S)
    text = typed(shown.group(1), folder).stdout
    assert "\n".join(line[4:] for line in shown.group(2).splitlines()) in text
