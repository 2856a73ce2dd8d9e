"""Files of a broken or hostile node: each is set aside with its reason, and stops nobody."""

import json
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from backhaul.data.images import UnreadableImageError, probe_bytes
from backhaul.data.limits import InboxLimits
from backhaul.inbox import look
from backhaul.storage.moving import move, read_found, walk
from backhaul.storage.places import filesystem
from tests.hostile_images import BAD, GOOD, suffix_of
from tests.nodes import Store, picture

BOX = {"class": "car", "confidence": 0.5, "xyxy": [1, 1, 5, 5]}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_image_is_set_aside_and_the_others_come_in(name: str, folder: Store) -> None:
    suffix = suffix_of(name)
    folder.drop(f"bad/x{suffix}", BAD[name])
    folder.drop("cam/good.jpg", GOOD)
    first = folder.ingest()
    assert folder.names == ["cam/good.jpg"]
    [problem] = first.problems
    assert f"bad/x{suffix}: warning: unreadable image, looked at again next time" in problem
    folder.drop("cam/more.jpg", picture(2))
    assert folder.ingest().n_unreadable == 1
    assert folder.names == ["cam/good.jpg", "cam/more.jpg"]
    [kept] = [data for file, data in folder.tree().items() if "/unreadable/" in file]
    assert kept == BAD[name]
    assert folder.ingest().problems == ()


def test_whatever_is_accepted_the_decoder_of_trainings_can_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    accepted = 0
    kinds = [picture(3, kind, (40, 30)) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    for number in range(2000):
        data = bytearray(kinds[number % 4])
        for _ in range(rng.integers(1, 4)):
            where = rng.integers(len(data))
            data[where] = rng.integers(256)
            if rng.random() < 0.2:
                del data[where : where + rng.integers(1, 20)]
        content = bytes(data)
        try:
            file = probe_bytes("x", content)
        except UnreadableImageError:
            continue
        accepted += 1
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert sorted(pixels.shape[:2]) == sorted((file.width, file.height))
    assert 100 < accepted < 1900


SIDECARS = {
    "votes without end": json.dumps([{**BOX, "votes": 10**30}]).encode(),
    "votes of many digits": json.dumps([{**BOX, "votes": 7}]).replace("7", "9" * 5000).encode(),
    "too many detections": json.dumps([BOX] * (InboxLimits().detections + 1)).encode(),
    "too many features": json.dumps({"detections": [], "features": [0.0] * 20_000}).encode(),
    "too many bytes": b"[" + b" " * InboxLimits().sidecar_bytes + b"]",
    "depth": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "a class": b'{"__class__": "subprocess.Popen", "data": {"args": "true"}}',
}


@pytest.mark.parametrize("name", SIDECARS)
def test_detections_that_are_out_of_bounds_are_left_out(name: str, folder: Store) -> None:
    folder.drop("cam/a.detections.json", SIDECARS[name])
    folder.drop("cam/a.jpg", GOOD)
    folder.drop("cam/b.detections.json", json.dumps([BOX]).encode())
    folder.drop("cam/b.jpg", picture(2))
    [problem] = folder.ingest().problems
    assert "a.detections.json: error: " in problem
    assert len(problem) < 400
    log = folder.log.set_index("name")
    assert log["detections"].isna().to_dict() == {"a.jpg": True, "b.jpg": False}


def test_a_file_of_too_many_bytes_is_not_read(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = InboxLimits(image_bytes=2000)
    monkeypatch.setattr(look, "read_found", lambda file, _: pytest.fail(f"{file} was read"))
    folder.drop("cam/huge.jpg", GOOD + bytes(2000))
    [problem] = folder.ingest(limits).problems
    assert "expected at most 2,000 (limits.image_bytes)" in problem
    assert folder.ingest(limits).n_unreadable == 1


@pytest.mark.parametrize("letters", [200, 251])
def test_the_longest_names_are_set_aside_as_well(letters: int, folder: Store) -> None:
    for name in ("x" * letters, "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * (letters // 2)):
        place = Path(folder.root) / "inbox" / "cam"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.jpg").write_bytes(b"broken")
        folder.ingest()
        assert folder.ingest().n_unreadable == 1
    folder.drop("cam/good.jpg", GOOD)
    assert folder.ingest().n_new == 1


def test_a_damaged_list_of_files_that_wait_stops_nobody(folder: Store) -> None:
    folder.drop("cam/good.jpg", GOOD)
    for data in (b"{", b"[1]", b'{"a": 1}', b"\xff"):
        place = Path(folder.root) / "ingested" / "waiting.json"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        folder.drop("bad/x.jpg", b"broken")
        folder.ingest()
    assert folder.names == ["cam/good.jpg"]


def test_nodes_take_turns_and_the_rest_waits_for_the_next_hour(folder: Store) -> None:
    limits = InboxLimits(images_per_hour=6)
    for number in range(9):
        folder.drop(f"loud/{number}.jpg", picture(number))
    for node, number in (("one", 20), ("one", 21), ("two", 30), ("two", 31), ("two", 32)):
        folder.drop(f"{node}/{number}.jpg", picture(number))
    first = folder.ingest(limits)
    expected = ["loud/0.jpg", "loud/1.jpg", "one/20.jpg", "one/21.jpg", "two/30.jpg"]
    assert folder.names == [*expected, "two/31.jpg"]
    assert (first.n_new, first.n_later) == (6, 8)
    [line] = first.problems
    assert "8 images wait for the next hour, 7 of loud, 1 of two: there are more than 6" in line
    assert folder.ingest(limits).n_later == 2
    assert (folder.ingest(limits).n_new, folder.ingest(limits).n_later) == (2, 0)
    assert len(folder.names) == 14


def test_files_that_wait_are_remembered_while_it_is_not_their_turn(folder: Store) -> None:
    folder.drop("cam/z.jpg", b"broken")
    assert folder.ingest().n_waiting == 1
    folder.drop("cam/a.jpg", picture(1))
    assert folder.ingest(InboxLimits(images_per_hour=1)).n_later == 1
    assert folder.ingest().n_unreadable == 1


LIMITS = InboxLimits(image_pixels=2000, sidecar_bytes=500, detections=2, features=3, votes=4)
OVER = {
    "image_pixels": (picture(1, size=(50, 50)), b"[]"),
    "sidecar_bytes": (GOOD, b"[]" + b" " * 500),
    "detections": (GOOD, json.dumps([BOX] * 3).encode()),
    "features": (GOOD, json.dumps({"detections": [], "features": [0.0] * 4}).encode()),
    "votes": (GOOD, json.dumps([{**BOX, "votes": 5}]).encode()),
}


@pytest.mark.parametrize("name", OVER)
def test_limits_are_settings(name: str, folder: Store) -> None:
    image, beside = OVER[name]
    folder.drop("cam/a.detections.json", beside)
    folder.drop("cam/a.jpg", image)
    [problem] = folder.ingest(LIMITS).problems
    assert f"expected at most {getattr(LIMITS, name):,}" in problem
    assert folder.ingest().n_new == (name == "image_pixels")
    assert folder.names == ["cam/a.jpg"]


REFUSING = ("cam/a.jpg", 0o000), ("cam", 0o555), ("cam", 0o444), ("cam", 0o000)
"""What a node may do with its own files and folders, and whom home's user is then refused."""


@pytest.mark.parametrize(("name", "mode"), REFUSING)
def test_what_home_may_not_touch_stops_nobody(name: str, mode: int, tmp_path: Path) -> None:
    folder = Store((tmp_path / "store").as_posix())
    folder.drop("cam/a.jpg", picture(1))
    folder.drop("other/b.jpg", picture(2))
    place = Path(folder.root) / "inbox" / name
    place.chmod(mode)
    try:
        hours = as_nobody(Path(folder.root), place, lambda: [folder.ingest() for _ in range(2)])
    finally:
        with suppress(FileNotFoundError):  # it was set aside
            place.chmod(0o755)
    assert hours == 0
    assert "other/b.jpg" in folder.names
    kept = list(folder.tree("inbox/cam/").values()) + list(folder.tree("ingested/").values())
    assert picture(1) in kept


def as_nobody(store: Path, refused: Path, act: Callable[[], object]) -> int:
    """Call `act` in a process whose user owns all of a store but what a node refuses.

    Returns:
        The exit status: 0 if it raised nothing.
    """
    if os.getuid():  # whoever is refused here is refused as it is
        act()
        return 0
    for path in (store.parent, store, *store.rglob("*")):
        if path != refused:
            os.chown(path, 65534, 65534)
    for parent in store.parents[1:4]:  # of the temporary folders of tests
        parent.chmod(parent.stat().st_mode | 0o011)
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        os.setgid(65534)
        os.setuid(65534)
        act()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def test_no_more_of_a_file_is_read_than_was_listed(tmp_path: Path) -> None:
    file = tmp_path / "cam" / "a.jpg"
    file.parent.mkdir()
    file.write_bytes(b"12345")
    [found], _ = walk(tmp_path.as_posix())
    assert read_found(found, tmp_path.as_posix()) == b"12345"
    before = file.stat()
    file.write_bytes(b"54321")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_found(found, tmp_path.as_posix()) is None
    assert not move(found, f"{tmp_path}/there", tmp_path.as_posix())
    file.unlink()
    file.symlink_to("/etc/hostname")
    assert read_found(found, tmp_path.as_posix()) is None
    file.unlink()
    assert read_found(found, tmp_path.as_posix()) is None


@pytest.mark.s3
def test_an_object_with_a_key_of_its_own_stops_nobody(bucket: Store) -> None:
    fs, path = filesystem(f"{bucket.root}/inbox/cam/a.jpg")
    name, _, key = path.partition("/")
    secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    fs.call_s3("put_object", Bucket=name, Key=key, Body=picture(1), **secret)
    bucket.drop("other/b.jpg", picture(2))
    for _ in range(2):
        done = bucket.ingest()
    assert bucket.names == ["other/b.jpg"]
    assert done.n_waiting == 1
