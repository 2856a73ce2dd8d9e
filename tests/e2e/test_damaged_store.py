"""A store in which files were changed, cut off, emptied or lost: a start makes them again."""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import COMMAND, Place, Played
from tests.e2e.edge import BATCH
from tests.e2e.test_hourly import Site

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
    "checkpoints": "objects/*/*.pt",
    "records": "runs/tiny/*.json",
    "records of rounds": "runs/tiny/rounds/*.json",
    "records of starts": "runs/tiny/starts/*.json",
    "scenes": "data/*/*/*",
    "about scenes": "data/*/*.*",
}
MOMENT = re.compile(r"\.\d{8}T\d{6}\.\d{6}$")
"""What the name of a file or folder that was set aside ends in."""
TOGETHER = (
    ("results", "copies"),  # a training runs again, and needs the copies
    ("tables", "checkpoints", "about scenes"),
    ("records", "records of rounds", "records of starts", "scenes"),
)
IN_TURN = 5
"""Files that are damaged one after the other, with a start after each."""
LINES = (("plan", "tiny.yaml"), ("report", "tiny"), ("analyze", "compare", "tiny"))


def store_of(place: Place) -> Path:
    return place.folder / ".backhaul"


def files(place: Place, pattern: str) -> list[Path]:
    found = sorted(store_of(place).glob(pattern))
    assert found, pattern
    return found


def tables(place: Place) -> dict[str, bytes]:
    """What people read of a run, but for times, with places as they are in any folder."""
    folder = place.folder / "runs" / "tiny"
    names = [*folder.glob("*.csv"), *folder.glob("output/*")]
    here = str(place.folder).encode()
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(here, b"")
        for path in names
    }


@pytest.fixture
def copy(fixed: Played, tmp_path: Path) -> Place:
    """A copy of a finished campaign and its store, in another folder."""
    folder = tmp_path / "copy"
    shutil.copytree(fixed.place.folder, folder)
    return Place(folder, fixed.place.server, fixed.place.base)


@pytest.fixture
def expected(fixed: Played) -> dict[str, bytes]:
    return tables(fixed.place)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds",
    TOGETHER,
    ids=["results", "tables", "records"],
)
def test_every_other_file_is_damaged(
    kinds: tuple[str, ...], copy: Place, expected: dict[str, bytes]
) -> None:
    for kind in kinds:
        for number, path in enumerate(files(copy, KINDS[kind])[::2]):
            DAMAGES[number % len(DAMAGES)](path)
    says_a_line(copy)
    runs_again(copy, expected)
    log = (copy.folder / ".backhaul" / "runs" / "tiny" / "log.txt").read_text()
    kept = [
        each for each in (store_of(copy) / "damaged").rglob("*") if MOMENT.search(each.name)
    ]
    assert kept
    assert all(str(each) in log for each in kept)


@pytest.mark.slow
def test_all_tables_rot(copy: Place, expected: dict[str, bytes]) -> None:
    for path in files(copy, KINDS["tables"]):
        rot(path)
    runs_again(copy, expected)


def test_all_kinds_are_tried() -> None:
    assert sorted(kind for kinds in TOGETHER for kind in kinds) == sorted(KINDS)


def each_file(place: Place) -> Iterator[Path]:
    for pattern in KINDS.values():
        yield from files(place, pattern)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_file_in_turn(
    damage: Callable[[Path], object], copy: Place, expected: dict[str, bytes]
) -> None:
    found = list(each_file(copy))
    rng = np.random.default_rng(DAMAGES.index(damage))
    for path in rng.choice(np.array(found, dtype=object), IN_TURN, replace=False):
        if path.exists():
            damage(path)
            runs_again(copy, expected)


def as_others() -> None:
    """Let the command have no rights that only root has, so that a folder can be read-only."""
    if os.getuid() == 0:
        ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: as it is executed


@pytest.mark.parametrize(
    "closed",
    [
        "",
        "objects",
        pytest.param("leases", marks=pytest.mark.slow),
        pytest.param("runs/tiny", marks=pytest.mark.slow),
    ],
)
def test_a_store_that_cannot_be_written_is_said_in_a_line(
    closed: str, new_place: Callable[[str], Place]
) -> None:
    place = new_place("closed")
    place.config("tiny")
    folder = store_of(place) / closed
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    try:
        done = subprocess.run(
            [COMMAND, "run", "tiny.yaml"],
            cwd=place.folder,
            env=place.environment(),
            preexec_fn=as_others,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    finally:
        folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    [line] = [each for each in done.stderr.splitlines() if "error: " in each]
    assert "Permission denied" in line
    assert str(folder) in line
    assert len(done.stderr.splitlines()) < 8


def an_hour(site: Site, damages: Mapping[str, Callable[[Path], object]]) -> None:
    """Damage files of a site by their patterns, and let the next images arrive."""
    for pattern, damage in damages.items():
        for path in files(site.place, pattern):
            damage(path)
    ended = site.hour()
    assert ended.code == 0, ended.out + ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow
def test_hours_go_on_where_files_were_damaged(new_place: Callable[[str], Place]) -> None:
    site = Site(new_place("damaged-hours"))
    site.edge.drop("cam1", range(BATCH))
    an_hour(site, {})
    site.edge.drop("cam1", range(BATCH, 2 * BATCH))
    an_hour(site, {"objects/*/*.parquet": flip})
    assert site.played == [0, 1]
    whole = (site.run / "summary.csv").read_bytes()
    an_hour(site, {"runs/edge/state.json": cut, "runs/edge/rounds/iqr*.json": empty})
    assert (site.run / "summary.csv").read_bytes() == whole
    site.edge.drop("cam1", range(2 * BATCH, 3 * BATCH))
    an_hour(site, {"runs/edge/rounds/*.json": flip, "objects/*/*.pt": Path.unlink})
    assert site.played == [0, 1, 2]

    entry = site.place.folder / "ingested" / "log" / "00000001.parquet"
    cut(entry)
    (site.records / "state.json").unlink()
    ended = site.hour()
    assert ended.code == 2, ended.err
    assert f"{entry}: is damaged" in ended.one_error()
