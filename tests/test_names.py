"""Which files a call reads, and which it writes."""

import os
from pathlib import Path

import pytest

from imfilt.cli import files, names
from imfilt.cli.settings import Settings


def named(words, word="sobel", **options):
    """What a call would do: {source: target or why not}."""
    settings = Settings(**options)
    sources, found = [], {}
    for one in names.expand(words, settings.recursive, word, settings.output):
        if isinstance(one, names.Source):
            sources.append(one)
        else:
            found[one[0]] = str(one[1])
    for source, outcome in names.jobs(sources, word, settings):
        found[source.path] = outcome.target if isinstance(outcome, names.Job) else str(outcome)
    return found


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.png",
        "b c.jpg",
        "phone.MPO",
        "notes.txt",
        ".hidden.png",
        "deep/d.TIF",
        "deep/er/e.webp",
        ".git/f.png",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_results_stand_beside_their_pictures(tree):
    assert named(["a.png", "deep/d.TIF", "b c.jpg"]) == {
        "a.png": "a.sobel.png", "deep/d.TIF": "deep/d.sobel.TIF", "b c.jpg": "b c.sobel.jpg",
    }  # fmt: skip
    assert named(["phone.MPO"]) == {"phone.MPO": "phone.sobel.jpg"}
    assert named(["a.png"], format="WEBP") == {"a.png": "a.sobel.webp"}


def test_a_file_a_folder_a_template(tree):
    (tree / "out").mkdir()
    assert named(["a.png"], output="x.tif") == {"a.png": "x.tif"}
    assert named(["a.png"], output="out") == {"a.png": "out/a.sobel.png"}
    assert named(["a.png"], output="new/") == {"a.png": "new/a.sobel.png"}
    assert named(["a.png", "b c.jpg"], output="{parent}/{filter}-{n:03}-{stem}{suffix}") == {
        "a.png": "sobel-001-a.png", "b c.jpg": "sobel-002-b c.jpg",
    }  # fmt: skip
    assert named(["deep/d.TIF"], output="{parent}/x/{name}") == {"deep/d.TIF": "deep/x/d.TIF"}
    (tree / "{odd}").mkdir()
    assert named(["a.png"], output="{odd}") == {"a.png": "{odd}/a.sobel.png"}


@pytest.mark.parametrize("text", ["{foo}", "{stem", "{0}", "{}", "{stem.x}", "{stem[0]}", "{n:q}"])
def test_templates_that_are_none(text):
    with pytest.raises(ValueError, match=r"is not a template .*\{stem\}"):
        names.check_template(text)


def test_folders(tree):
    assert named(["deep"]) == {"deep": "is a folder; name the pictures in it, or take all with --recursive"}
    assert named(["deep"], recursive=True) == {
        "deep/d.TIF": "deep/d.sobel.TIF", "deep/er/e.webp": "deep/er/e.sobel.webp",
    }  # fmt: skip
    assert named(["."], recursive=True, output="out/") == {
        "./a.png": "out/a.sobel.png", "./b c.jpg": "out/b c.sobel.jpg", "./phone.MPO": "out/phone.sobel.jpg",
        "./deep/d.TIF": "out/deep/d.sobel.TIF", "./deep/er/e.webp": "out/deep/er/e.sobel.webp",
    }  # fmt: skip


def test_results_of_an_earlier_call_are_not_taken_up(tree):
    (tree / "a.sobel.png").touch()
    again = named(["a.png", "a.sobel.png"], force=True)
    assert again == {"a.png": "a.sobel.png", "a.sobel.png": "it is a result of this command"}
    assert named(["a.sobel.png"]) == {"a.sobel.png": "a.sobel.sobel.png"}  # by itself it is a picture
    assert "./a.sobel.png" not in named(["."], recursive=True, force=True)
    (tree / "out").mkdir()
    (tree / "out" / "z.png").touch()
    assert not any("out" in source for source in named(["."], recursive=True, output="out"))


def test_patterns_that_the_shell_has_left(tree):
    assert named(["*.png"]) == {"a.png": "a.sobel.png"}
    assert named(["**/*.webp"]) == {"deep/er/e.webp": "deep/er/e.sobel.webp"}
    assert named(["*.gif"]) == {"*.gif": "no such file or directory"}
    (tree / "[x].png").touch()
    assert named(["[x].png"]) == {"[x].png": "[x].sobel.png"}


def test_what_is_never_written_over(tree):
    (tree / "link.png").symlink_to("a.png")
    for output in ("a.png", "./deep/../a.png", "link.png"):
        for force in (False, True):
            assert "the output is the input" in named(["a.png"], output=output, force=force)["a.png"]
    (tree / "x.png").touch()
    assert named(["a.png"], output="x.png") == {"a.png": "x.png exists; --force writes over it"}
    assert named(["a.png"], output="x.png", force=True) == {"a.png": "x.png"}
    assert named(["a.png"], output="x.png", skip_existing=True) == {"a.png": "x.png exists"}
    found = named(["a.png", "x.png"], output="{parent}/x.png", force=True)
    assert "x.png is read by this call" in found["a.png"]
    (tree / "hole.png").symlink_to("nowhere")
    assert named(["a.png"], output="hole.png") == {"a.png": "hole.png exists; --force writes over it"}
    os.mkfifo(tree / "pipe.png")
    assert named(["a.png"], output="pipe.png", force=True) == {"a.png": "pipe.png is not a file"}


def test_two_results_of_one_name(tree):
    (tree / "deep" / "a.png").touch()
    found = named(["a.png", "deep/a.png"], output="out/")
    assert found["a.png"] == "out/a.sobel.png"
    assert "is written for a.png already" in found["deep/a.png"]


def test_in_place(tree):
    (tree / "link.png").symlink_to("a.png")
    assert named(["a.png"], in_place=True) == {"a.png": str(tree / "a.png")}
    assert named(["link.png"], in_place=True) == {"link.png": str(tree / "a.png")}
    assert "already" in named(["a.png", "link.png"], in_place=True)["link.png"]
    assert "stdin has no place" in named(["-"], in_place=True)["-"]


def test_streams(tree):
    assert named(["-"]) == {"-": "-"}
    assert named(["-"], output="x.png") == {"-": "x.png"}
    assert named(["a.png"], output="-") == {"a.png": "-"}
    (tree / "out").mkdir()
    assert named(["-"], output="out", format="PNG") == {"-": "out/stdin.sobel.png"}


def test_names_that_cannot_be(tree):
    (tree / "plain").touch()
    assert "would end in .sobel" in named(["plain"])["plain"]
    assert "would end in .xyz" in named(["a.png"], output="a.xyz")["a.png"]
    assert named(["a.png"], output="none/x.png") == {"a.png": "there is no folder none"}
    assert named(["a\0.png"]) == {"a\0.png": "cannot be read"}


# --- writing ---


def test_a_file_is_whole_or_not_there(tree):
    with files.whole("x.bin") as file:
        file.write(b"new")
        assert not Path("x.bin").exists()
    assert Path("x.bin").read_bytes() == b"new"
    for error in (OSError, KeyboardInterrupt, ValueError):
        with pytest.raises(error), files.whole("x.bin") as file:  # noqa: PT012
            file.write(b"half")
            raise error
        assert Path("x.bin").read_bytes() == b"new"
    assert not [name for name in os.listdir() if name.startswith(".imfilt")]


def test_the_mode_of_a_file_stays_and_a_new_one_obeys_umask(tree):
    Path("x.bin").touch()
    Path("x.bin").chmod(0o640)
    with files.whole("x.bin", durable=True):
        pass
    assert Path("x.bin").stat().st_mode & 0o777 == 0o640
    before = os.umask(0o027)
    try:
        with files.whole("made/y.bin"):
            pass
    finally:
        os.umask(before)
    assert Path("made/y.bin").stat().st_mode & 0o777 == 0o640


def test_after_abandon_nothing_is_written(tree, monkeypatch):
    monkeypatch.setattr(files, "_stopped", False)
    with pytest.raises(KeyboardInterrupt), files.whole("x.bin") as file:  # noqa: PT012
        file.write(b"half")
        files.abandon()
        assert not [name for name in os.listdir() if name.startswith(".imfilt")]
    with pytest.raises(KeyboardInterrupt), files.whole("x.bin"):
        pass
    assert not Path("x.bin").exists()


def test_results_that_a_template_made_are_not_taken_up_again(tree):
    template = "{parent}/soft/{stem}-{n:03}.webp"
    first = named(["."], recursive=True, output=template)
    for target in first.values():
        Path(target).parent.mkdir(exist_ok=True)
        Path(target).touch()
    again = named(["."], recursive=True, output=template, force=True)
    assert {source: target for source, target in again.items() if source in first} == first
    assert {again[source] for source in again.keys() - first.keys()} == {names.OWN}
    # Named by itself it is a picture as any other.
    (one,) = named(["soft/a-001.webp"], output=template, force=True).values()
    assert one == "soft/soft/a-001-001.webp"
    # A template that makes a name of itself makes no result of another.
    assert names.OWN not in named(["."], recursive=True, output="{parent}/{stem}.png", force=True).values()


def test_what_is_not_a_file_is_not_waited_for(tree):
    os.mkfifo("pipe.png")
    for path in ("pipe.png", "/dev/null"):
        with pytest.raises(files.FileError, match="is not a file"):
            files.content(path)
    read, write = os.pipe()
    os.write(write, b"all of it")
    os.close(write)
    assert files.content(f"/dev/fd/{read}") == b"all of it"
    os.close(read)


def test_folders_that_cannot_be_read_are_told(tree, monkeypatch):
    def scandir(path, scan=os.scandir):
        if os.path.basename(os.fspath(path)) == "er":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert named(["deep"], recursive=True) == {"deep/d.TIF": "deep/d.sobel.TIF", "deep/er": "permission denied"}
