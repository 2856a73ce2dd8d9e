"""A folder that is made: whole or not at all, and nothing else is touched."""

import hashlib
import os
from pathlib import Path

import pytest

from backhaul.data.wholefolder import Recipe, is_whole, write_whole
from backhaul.errors import InputError


def write(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")


RECIPE = Recipe("made.json", '{"seed": 0}', write)
OTHER = Recipe("made.json", '{"seed": 1}', write)


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_whole_folder_is_left_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", RECIPE)
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "a").rglob("*"))]
    write_whole(tmp_path / "a", RECIPE)
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "a").rglob("*"))] == before


@pytest.mark.parametrize("other", ["settings", "file", "folder"])
def test_what_is_something_else_is_refused_and_kept(tmp_path: Path, other: str) -> None:
    match other:
        case "settings":
            write_whole(tmp_path / "a", OTHER)
        case "file":
            (tmp_path / "a").write_text("mine")
        case "folder":
            (tmp_path / "a").mkdir()
            (tmp_path / "a" / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(
        InputError, match="expected a new or empty folder, or these very scenes"
    ):
        write_whole(tmp_path / "a", RECIPE)
    assert tree(tmp_path) == before


def test_one_that_breaks_leaves_nothing_half_written(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def break_down(folder: Path) -> None:
        write(folder)
        raise KilledError

    with pytest.raises(KilledError):
        write_whole(tmp_path / "a", Recipe("made.json", "", break_down))
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_slower_takes_the_folder_of_the_other(tmp_path: Path) -> None:
    def write_late(folder: Path) -> None:
        write(folder)
        write_whole(tmp_path / "a", RECIPE)

    write_whole(tmp_path / "a", Recipe(RECIPE.record, RECIPE.settings, write_late))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("damage", ["changed", "missing", "digests"])
def test_damage_is_seen(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "a"
    write_whole(folder, RECIPE)
    assert is_whole(folder, RECIPE)
    assert not is_whole(folder, OTHER)
    match damage:
        case "changed":
            (folder / "b.txt").write_text("c")
            os.utime(folder / "b.txt", ns=(1, 1))
        case "missing":
            (folder / "images" / "a.txt").unlink()
        case "digests":
            (folder / "contents.json").write_text("[1]")
    assert not is_whole(folder, RECIPE)
