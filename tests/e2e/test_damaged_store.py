"""A store in which files were changed, cut off, emptied or lost: a start makes them again."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Place, Played

pytestmark = [pytest.mark.prefect, pytest.mark.train]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rot(path: Path) -> None:
    """Change a byte as a failing disk does, which knows nothing of times."""
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: tuple[Callable[[Path], object], ...] = (flip, rot, cut, empty, Path.unlink)
KINDS = {
    "results": "results/*",
    "tables": "objects/*/*.parquet",
    "copies": "objects/*/*.png",
    "checkpoints": "objects/*/*.json",
    "records": "runs/tiny/*.json",
    "records of rounds": "runs/tiny/rounds/*.json",
    "records of starts": "runs/tiny/starts/*.json",
    "scenes": "data/*/*/*",
    "about scenes": "data/*/*.*",
}
LINES = (("plan", "tiny.yaml"), ("report", "tiny"), ("analyze", "compare", "tiny"))


def store_of(place: Place) -> Path:
    return place.folder / ".backhaul"


def files(place: Place, pattern: str) -> list[Path]:
    found = sorted(store_of(place).glob(pattern))
    assert found, pattern
    return found


def tables(place: Place) -> dict[str, bytes]:
    """What people read of a run, but for times."""
    folder = place.folder / "runs" / "tiny"
    names = [*folder.glob("*.csv"), *folder.glob("output/*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}


@pytest.fixture
def copy(fixed: Played, tmp_path: Path) -> Place:
    """A copy of a finished campaign and its store, in another folder."""
    folder = tmp_path / "copy"
    shutil.copytree(fixed.place.folder, folder)
    return Place(folder, fixed.place.server, fixed.place.base)


@pytest.fixture
def expected(copy: Place) -> dict[str, bytes]:
    ended = copy.backhaul("run", "tiny.yaml")
    assert ended.code == 0, ended.err
    return tables(copy)


def says_a_line(place: Place) -> None:
    """Commands that only read end well, or say in one line what is damaged."""
    for command in LINES:
        ended = place.backhaul(*command)
        assert ended.code in (0, 2), (command, ended.err)
        assert "Traceback" not in ended.err, ended.err
        assert len([line for line in ended.err.splitlines() if "error:" in line]) <= 1


def runs_again(place: Place, expected: dict[str, bytes]) -> None:
    ended = place.backhaul("run", "tiny.yaml")
    assert ended.code == 0, ended.out + ended.err
    assert "Traceback" not in ended.err
    assert tables(place) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_a_kind_is_damaged(kind: str, copy: Place, expected: dict[str, bytes]) -> None:
    found = files(copy, KINDS[kind])
    for number, path in enumerate(found[::2]):
        DAMAGES[number % len(DAMAGES)](path)
    says_a_line(copy)
    runs_again(copy, expected)
    log = (copy.folder / ".backhaul" / "runs" / "tiny" / "log.txt").read_text()
    for kept in (store_of(copy) / "damaged").rglob("*"):
        assert kept.is_dir() or str(kept) in log


def each_file(place: Place) -> Iterator[Path]:
    for pattern in KINDS.values():
        yield from files(place, pattern)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_file_in_turn(
    damage: Callable[[Path], object], copy: Place, expected: dict[str, bytes]
) -> None:
    for path in list(each_file(copy)):
        if path.exists():
            damage(path)
            runs_again(copy, expected)
