"""The bounded cache of objects on this machine's disk."""

import errno
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from backhaul.errors import CorruptArtifactError, InputError, MissingObjectError, StoreError
from backhaul.storage import localcopies
from backhaul.storage.imagefiles import localise
from backhaul.storage.localcopies import (
    LocalCopies,
    copies,
    local_file,
    local_image,
    local_object,
)
from backhaul.storage.objects import get_file, replace, write_bytes
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet

ROOT = "memory://edge/store"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder of a stage that wants copies."""
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


def put(number: int, size: int = 1000) -> tuple[str, str]:
    """Put an object of `size` bytes; return its address and its digest."""
    artifact = write_bytes(ROOT, f"{number:0{size}d}".encode(), ".png")
    return artifact.uri, artifact.sha256


def take(kept: LocalCopies, number: int, there: Path, size: int = 1000) -> Path:
    uri, digest = put(number, size)
    target = there / f"{number}.png"
    target.unlink(missing_ok=True)
    kept.copy(uri, digest, target)
    assert target.stat().st_size == size
    return target


def kept_numbers(kept: LocalCopies) -> set[int]:
    return {int(path.read_bytes()) for path in kept.folder.rglob("*.png")}


def test_they_are_bounded_and_the_least_recently_used_go(tmp_path: Path, there: Path) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    for number in range(10):
        take(kept, number, there)
        os.utime(next(kept.folder.rglob(f"{put(number)[1]}.png")), ns=(number, number))
    assert kept_numbers(kept) == set(range(10))
    take(kept, 0, there)  # is used again
    take(kept, 10, there)
    assert 0 in kept_numbers(kept)
    assert 1 not in kept_numbers(kept)
    for number in range(11, 40):
        take(kept, number, there)
        assert sum(path.stat().st_size for path in kept.folder.rglob("*.png")) <= 10_000
    assert len(kept_numbers(kept)) >= 9


def test_all_copies_are_looked_at_now_and_then_only(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalCopies(tmp_path / "cache", 100_000)
    looks = []
    make_room = LocalCopies.make_room

    def counted(self: LocalCopies, limit_bytes: int) -> None:
        looks.append(limit_bytes)
        make_room(self, limit_bytes)

    monkeypatch.setattr(LocalCopies, "make_room", counted)
    for number in range(50):
        take(kept, number, there)
    assert len(looks) == 10  # one in 5 % of the limit


def test_what_was_handed_out_survives_an_eviction(tmp_path: Path, there: Path) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    target = take(kept, 7, there)
    assert target.stat().st_nlink == 2
    kept.make_room(0)
    assert not list(kept.folder.rglob("*.png"))
    assert int(target.read_bytes()) == 7


def test_a_copy_is_taken_from_this_disk(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    take(kept, 7, there)
    monkeypatch.setattr(localcopies, "get_file", None)
    take(kept, 7, there)


def test_an_object_larger_than_the_limit_passes_through(tmp_path: Path, there: Path) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    take(kept, 1, there)
    take(kept, 2, there, size=20_000)
    assert kept_numbers(kept) == {1}


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, there: Path) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    uri, digest = put(7)
    for name in ("a.png", "b.png"):
        kept.copy(uri, digest, there / name)
        (copy,) = kept.folder.rglob("*.png")
        assert int((there / name).read_bytes()) == 7
        copy.unlink()  # not in place: a stage has the same file
        copy.write_bytes(b"8")
    kept.copy(uri, digest, there / "c.png")
    assert int((there / "c.png").read_bytes()) == 7
    assert kept_numbers(kept) == {7}


def test_an_object_with_another_content_is_refused_and_not_kept(
    tmp_path: Path, there: Path
) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    uri, digest = put(7)
    replace(uri, b"8")
    for _ in range(2):
        with pytest.raises(CorruptArtifactError, match="does not match its digest"):
            kept.copy(uri, digest, there / "x.png")
    assert not list(there.iterdir())
    assert not list(kept.folder.rglob("*.png"))


def test_a_missing_object_leaves_nothing(tmp_path: Path, there: Path) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    with pytest.raises(MissingObjectError, match="is gone from the store"):
        kept.copy(f"{ROOT}/none.png", "0" * 64, there / "x.png")
    assert not list(there.iterdir())


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader at a time: fsspec's file in memory has one position for all."""
    turn = threading.Lock()

    def alone(uri: str, target: Path) -> None:
        with turn:
            get_file(uri, target)

    monkeypatch.setattr(localcopies, "get_file", alone)


@pytest.mark.usefixtures("one_reader")
@pytest.mark.parametrize("disks", [1, 2])
def test_threads_that_want_the_same_get_it(
    disks: int, tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "cache"))
    if disks == 2:  # where links cannot be made

        def refused(source: Path, target: Path) -> None:
            if not source.exists():
                raise FileNotFoundError(source)
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", refused)
    for number in range(30):
        uri, digest = put(number)
        with ThreadPoolExecutor(8) as threads:
            paths = list(threads.map(local_image, [uri] * 8, [digest] * 8, [there] * 8))
        assert {int(path.read_bytes()) for path in paths} == {number}
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.usefixtures("one_reader")
def test_many_threads_and_two_caches_of_one_folder(tmp_path: Path, there: Path) -> None:
    ours = [LocalCopies(tmp_path / "cache", 5_000) for _ in range(2)]
    stages = [there / str(number) for number in range(8)]
    for stage in stages:
        stage.mkdir()

    def play(number: int) -> None:
        for k in range(40):
            take(ours[number % 2], (k * (number + 1)) % 20, stages[number])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(play, range(8)))
    left = [path.stat().st_size for path in ours[0].folder.rglob("*") if path.is_file()]
    assert sum(left) <= 6_000
    assert not list(tmp_path.rglob("*.partial"))


def test_a_full_disk_makes_room(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)
    for number in range(5):
        take(kept, number, there)

    def tight(uri: str, target: Path) -> None:
        if len(list(kept.folder.rglob("*.png"))) > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        get_file(uri, target)

    monkeypatch.setattr(localcopies, "get_file", tight)
    take(kept, 9, there)
    assert kept_numbers(kept) == {9}


def test_a_disk_that_stays_full_is_said_clearly(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalCopies(tmp_path / "cache", 10_000)

    def full(uri: str, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(localcopies, "get_file", full)
    uri, digest = put(7)
    with pytest.raises(StoreError, match=r"no space is left there for .*BACKHAUL_CACHE"):
        kept.copy(uri, digest, there / "x.png")
    assert not list(there.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if (
        os.geteuid() != 0
        or mount is None
        or unmount is None
        or subprocess.run([mount, *options], check=False, capture_output=True).returncode
    ):
        pytest.skip("mounting a disk needs rights that this process lacks")
    yield place
    subprocess.run([unmount, str(place)], check=True)


def test_a_real_full_disk(small_disk: Path) -> None:
    kept, there = LocalCopies(small_disk / "cache", 100 * 2**20), small_disk / "stage"
    there.mkdir()
    for number in range(12):  # of 1 MB; a stage ends, and its links go
        take(kept, number, there, size=1_000_000).unlink()
    assert 1 <= len(list(kept.folder.rglob("*.png"))) <= 4
    uri, digest = put(99, size=5_000_000)
    with pytest.raises(StoreError, match="no space is left there for"):
        kept.copy(uri, digest, there / "x.png")
    assert not list(there.iterdir())
    take(kept, 1, there, size=1_000_000)


def test_the_environment_says_where_and_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("BACKHAUL_CACHE_BYTES", "5000")
    assert (copies().folder, copies().limit_bytes) == (tmp_path / "mine", 5000)
    monkeypatch.setenv("BACKHAUL_CACHE_BYTES", "20G")
    with pytest.raises(InputError, match="BACKHAUL_CACHE_BYTES=20G: expected a number"):
        copies()
    monkeypatch.delenv("BACKHAUL_CACHE_BYTES")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"BACKHAUL_CACHE=.*/file: expected a folder"):
        copies()


def test_local_paths_of_images_checkpoints_and_other_files(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "cache"))
    uri, digest = put(7)
    image = local_image(uri, "an augmented copy", there)
    assert image == there / f"{digest}.png"
    assert local_image(uri, "an augmented copy", there) == image
    replace(f"{ROOT}/inbox/a.png", image.read_bytes())
    dropped = local_image(f"{ROOT}/inbox/a.png", digest[:32], there)
    assert dropped == there / f"{digest[:32]}.png"
    with pytest.raises(CorruptArtifactError):
        local_image(f"{ROOT}/inbox/a.png", "0" * 32, there)
    checkpoint = local_object(Artifact(uri=uri, sha256=digest, content="5" * 64), there)
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest() == digest
    with pytest.raises(CorruptArtifactError):
        local_object(Artifact(uri=uri, sha256="5" * 64), there)
    assert local_file(uri, there).name == uri.rpartition("/")[2]
    here = tmp_path / "x.png"
    with pytest.raises(MissingObjectError):
        local_image(str(here), digest, there)
    here.write_bytes(b"x")
    assert local_image(str(here), digest, there) == local_file(str(here), there) == here


def test_augmented_copies_of_equal_content_are_one_file(there: Path) -> None:
    stored = write_bytes(ROOT, os.urandom(200_000), ".png")
    row = {
        "uri": stored.uri,
        "width": 8,
        "height": 8,
        "size_bytes": 200_000,
        "group": None,
        "labels": None,
        "label_source": None,
        "copy_of": "original",
    }
    rows = [{"image_id": f"copy{k}", **row} for k in range(16)]
    local = localise(ImageSet(pd.DataFrame(rows), ("a",)), there)
    [path] = set(local.table["uri"])
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == stored.sha256
