"""The inbox, in a folder and in a bucket: nothing is lost, and nothing is logged twice."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backhaul.errors import InputError, StoreError
from backhaul.inbox import LOG_COLUMNS, fused_of, images_of
from tasks import inbox as inbox_tasks
from tasks import inboxlog, moving
from tasks.inbox import Ingested, ingest, read_truth
from tasks.inboxlog import next_number, read_log
from tasks.lease import Lease, LeaseLostError
from tasks.moving import Found, move, walk
from tasks.places import filesystem, is_local
from tasks.store import exists_at, read_uri, remove, replace

CLASSES = ("car", "bus")


def picture(number: int, kind: str = "JPEG", size: tuple[int, int] = (16, 12)) -> bytes:
    """Return an image that differs from those of other numbers."""
    pixels = np.full((size[1], size[0], 3), number % 256, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, comment=str(number))
    return buffer.getvalue()


class Store:
    """A store whose inbox is filled as nodes would."""

    def __init__(self, root: str) -> None:
        self.root = root

    def drop(self, name: str, data: bytes) -> None:
        replace(f"{self.root}/inbox/{name}", data)

    def ingest(self) -> Ingested:
        return ingest(self.root, "inbox", CLASSES)

    @property
    def log(self) -> pd.DataFrame:
        tables = [table for _, table in read_log(self.root)]
        empty = pd.DataFrame(columns=list(LOG_COLUMNS))
        return pd.concat(tables, ignore_index=True) if tables else empty

    @property
    def names(self) -> list[str]:
        return list(self.log["node"] + "/" + self.log["name"])

    def tree(self, below: str = "") -> dict[str, bytes]:
        """Return all files but those of the machinery, with their contents."""
        fs, path = filesystem(self.root)
        found = (name for name in sorted(fs.find(path)) if name.startswith(f"{path}/{below}"))
        return {
            name.removeprefix(f"{path}/"): fs.cat_file(name)
            for name in found
            if not name.startswith(f"{path}/.backhaul") and not name.endswith(".lock")
        }


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    if request.param == "folder":
        return Store(tmp_path.as_posix())
    for name, value in request.getfixturevalue("object_store").environment.items():
        monkeypatch.setenv(name, value)
    return Store(f"s3://edge/{uuid.uuid4().hex}")


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store(tmp_path.as_posix())


def test_images_move_from_the_inbox_into_the_log(store: Store) -> None:
    store.drop("cam-1/2026/a b+é%.JPEG", picture(1))
    store.drop("cam-2/a.png", picture(2, "PNG", (8, 20)))
    done = store.ingest()
    log = store.log
    assert (done.n_new, done.new_bytes, done.problems) == (2, log["size_bytes"].sum(), ())
    assert tuple(log.columns) == LOG_COLUMNS
    assert store.names == ["cam-1/2026/a b+é%.JPEG", "cam-2/a.png"]
    assert log[["width", "height"]].to_numpy().tolist() == [[16, 12], [8, 20]]
    assert [read_uri(uri) for uri in log["uri"]] == [picture(1), picture(2, "PNG", (8, 20))]
    assert [uri.rpartition(".")[2] for uri in log["uri"]] == ["jpg", "png"]
    assert all(uri.startswith(f"{store.root}/ingested/images/") for uri in log["uri"])
    assert log["arrived"].dt.tz is not None
    assert store.tree("inbox/") == {}
    assert len(images_of(log, CLASSES)) == 2


def test_a_second_ingestion_writes_nothing(store: Store) -> None:
    store.drop("cam/a.jpg", picture(1))
    store.ingest()
    before = store.tree()
    assert store.ingest() == Ingested()
    assert store.tree() == before
    assert [number for number, _ in read_log(store.root)] == [1]
    assert read_log(store.root, after=1) == []


def test_an_inbox_that_is_not_there_yet_is_empty(store: Store) -> None:
    assert store.ingest() == Ingested()
    assert store.tree() == {}


def test_each_ingestion_that_finds_something_is_an_entry(store: Store) -> None:
    for hour in range(3):
        store.drop(f"cam/{hour}.jpg", picture(hour))
        store.ingest()
        store.ingest()
    entries = read_log(store.root, after=1)
    assert [number for number, _ in entries] == [2, 3]
    assert [list(table["name"]) for _, table in entries] == [["1.jpg"], ["2.jpg"]]


def test_a_backlog_is_several_entries(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_tasks, "ENTRY_IMAGES", 3)
    for number in range(8):
        store.drop(f"cam/{number}.jpg", picture(number))
    seen: list[tuple[int, int]] = []
    ingest(store.root, "inbox", CLASSES, lambda *progress: seen.append(progress))
    assert [len(table) for _, table in read_log(store.root)] == [3, 3, 2]
    assert seen == [(3, 8), (6, 8), (8, 8)]
    assert next_number(store.root) == 4


@pytest.mark.parametrize("name", [".a.jpg", ".staging/a.jpg", "a.jpg.part", "a.jpg.TMP"])
def test_what_is_not_complete_is_left_alone(name: str, store: Store) -> None:
    store.drop(f"cam/{name}", picture(1))
    before = store.tree()
    assert store.ingest() == Ingested()
    assert store.tree() == before


def test_duplicates_are_set_aside_within_and_across_ingestions(store: Store) -> None:
    store.drop("cam-1/a.jpg", picture(1))
    store.drop("cam-2/b.JPEG", picture(1))  # twice in one
    store.drop("cam-2/b.detections.json", b"[]")
    done = store.ingest()
    assert (done.n_new, done.n_duplicates) == (1, 1)
    store.drop("cam-1/a.jpg", picture(1))  # late, again, under a name that was there
    store.drop("cam-1/c.jpg", picture(2))
    done = store.ingest()
    assert (done.n_new, done.n_duplicates, done.n_waiting) == (1, 1, 0)
    assert store.names == ["cam-1/a.jpg", "cam-1/c.jpg"]
    aside = store.tree("ingested/duplicates/")
    assert sorted(name.split("/", 2)[2].split(".")[0] for name in aside) == [
        "cam-1/a",
        "cam-2/b",
        "cam-2/b",
    ]
    assert sorted(aside.values()) == sorted([picture(1), picture(1), b"[]"])


def test_setting_aside_overwrites_nothing(store: Store) -> None:
    """A node that sends the same name again and again loses none of the contents."""
    store.drop("cam/first.jpg", picture(1))
    store.drop("cam/second.jpg", picture(2))
    store.ingest()
    for number in (1, 2, 1):
        store.drop("cam/again.jpg", picture(number))
        store.drop("cam/again.detections.json", b"[]" + b" " * number)
        assert store.ingest().n_duplicates == 1
    aside = store.tree("ingested/duplicates/")
    expected = [picture(1), picture(2), b"[] ", b"[]  "]
    assert sorted(aside.values()) == sorted(expected)


def test_a_file_that_is_no_image_is_set_aside_at_the_second_look(store: Store) -> None:
    store.drop("cam/bad.jpg", picture(1)[:-30])
    store.drop("cam/empty.png", b"")
    store.drop("cam/good.jpg", picture(2))
    first = store.ingest()
    assert (first.n_new, first.n_unreadable, first.n_waiting) == (1, 0, 2)
    assert "cam/bad.jpg: warning: unreadable image, looked at again" in first.problems[0]
    second = store.ingest()
    assert (second.n_new, second.n_unreadable, second.n_waiting) == (0, 2, 0)
    aside = store.tree("ingested/unreadable/")
    assert sorted(aside.values()) == [b"", picture(1)[:-30]]
    before = store.tree()
    assert store.ingest() == Ingested()
    assert store.tree() == before


@pytest.mark.parametrize("kind", ["BMP", "JPEG", "WEBP", "PNG"])
def test_an_image_that_claims_to_be_huge_is_unreadable_and_harms_nothing(
    kind: str, folder: Store
) -> None:
    data = bytearray(picture(1, kind, (300, 200)))
    width = {"BMP": "<I", "JPEG": ">H", "WEBP": "<H", "PNG": ">I"}[kind]
    start = data.index(struct.pack(width, 300))
    data[start : start + struct.calcsize(width)] = struct.pack(width, 16_000)
    height = data.index(struct.pack(width.replace("I", "i"), 200))
    data[height : height + struct.calcsize(width)] = struct.pack(width, 16_000)
    folder.drop("cam/a.jpg", bytes(data[:-2]))
    folder.drop("cam/b.jpg", picture(2))
    done = folder.ingest()
    assert (done.n_new, done.n_waiting) == (1, 1)


def test_a_file_that_still_grows_waits_until_it_is_whole(store: Store) -> None:
    for size in (0, 200, 250):
        store.drop("cam/a.jpg", picture(1)[:size])
        assert (store.ingest().n_waiting, len(store.log)) == (1, 0)
    store.drop("cam/a.jpg", picture(1))
    assert (store.ingest().n_new, store.ingest()) == (1, Ingested())


def test_other_files_are_left_alone_and_counted(store: Store) -> None:
    store.drop("cam/notes.txt", b"x")
    store.drop("cam/late.detections.json", b"[]")  # before its image
    store.drop("stray.jpg", picture(1))
    done = store.ingest()
    assert (done.n_new, done.n_others) == (0, 3)
    assert "expected NODE/NAME" in done.problems[0]
    assert len(store.tree("inbox/")) == 3
    store.drop("cam/late.jpg", picture(2))
    assert store.ingest().n_new == 1
    assert store.log["detections"].tolist() == ["[]"]


def test_what_the_node_saw_comes_along(store: Store) -> None:
    box = {"class": "bus", "confidence": 0.5, "xyxy": [1, 2, 9, 10], "votes": 3}
    store.drop("cam/a.jpg", picture(1))
    store.drop("cam/a.detections.json", json.dumps([box]).encode())
    store.drop("cam/b.jpg", picture(2))
    store.drop("cam/b.detections.json", json.dumps([{**box, "class": "tram"}]).encode())
    store.drop("cam/c.jpg", picture(3))
    done = store.ingest()
    assert done.n_new == 3
    assert len(done.problems) == 1
    assert "b.detections.json: error: detection 0: class 'tram' is none of" in done.problems[0]
    log = store.log
    assert log["detections"].notna().tolist() == [True, False, False]
    fused = fused_of(log, CLASSES).table
    assert fused.to_numpy().tolist() == [[log["image_id"][0], 1, 0.5, 0.0, 3, 1, 2, 9, 10]]
    kept = [n for n in store.tree("ingested/images/") if n.endswith(".detections.json")]
    assert len(kept) == 2
    assert store.tree("inbox/") == {}


def test_two_at_once_take_everything_in_once(store: Store) -> None:
    fill(store)
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda _: store.ingest(), range(3)))
    assert sum(each.n_new for each in done) == len(store.log) == 5
    assert sum(each.n_duplicates for each in done) == 1
    assert sum(each.n_unreadable for each in done) == 1


def test_who_lost_the_lease_changes_nothing(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder)
    before = folder.tree()

    def lost(_: Lease) -> None:
        raise LeaseLostError

    monkeypatch.setattr(Lease, "require", lost)
    with pytest.raises(LeaseLostError):
        folder.ingest()
    assert folder.tree() == before


DROPS = st.tuples(
    st.sampled_from(["cam-1", "cam-2"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([1, 2, 3, None]),  # an image, or none
)


@given(st.lists(st.lists(DROPS, max_size=5, unique_by=lambda drop: drop[:2]), max_size=5))
@settings(max_examples=25)
def test_whatever_is_dropped_each_content_is_logged_once_and_kept(
    hours: list[list[tuple[str, str, int | None]]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place).as_posix())
        readable: set[bytes] = set()
        dropped: set[bytes] = set()
        for hour in hours:
            for node, name, number in hour:
                data = b"no image" if number is None else picture(number)
                if not exists_at(f"{store.root}/inbox/{node}/{name}.jpg"):
                    store.drop(f"{node}/{name}.jpg", data)
                    dropped.add(data)
                    readable |= {data} if number is not None else set()
            store.ingest()
        log = store.log
        assert log["image_id"].is_unique
        assert {read_uri(uri) for uri in log["uri"]} == readable
        assert dropped <= set(store.tree().values())


# Killed at any point


class KilledError(BaseException):
    """A SIGKILL, as near as a test of one process comes."""


CHANGES = [
    (inboxlog, "replace"),
    (inboxlog, "create"),
    (inboxlog, "move"),
    (inboxlog, "remove"),
    (inbox_tasks, "move"),
    (inbox_tasks, "replace"),
]


def fill(store: Store) -> None:
    saw = [{"class_id": 0, "confidence": 1, "xyxy": [0, 0, 5, 5]}]
    for number in range(5):
        store.drop(f"cam/{number}.jpg", picture(number))
    store.drop("cam/1.detections.json", json.dumps(saw).encode())
    store.drop("cam/2.detections.json", b"{}")
    store.drop("cam/twice.jpg", picture(2))
    store.drop("cam/twice.detections.json", b"[]")
    store.drop("cam/bad.jpg", b"no image")


def killed(after: int, when: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Let the process die at its `after`-th change; return whether it has come to that."""
    left = [after]

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0 and when == "before":
                raise KilledError
            result = function(*args)
            if left[0] <= 0:
                raise KilledError
            return result

        return call

    for module, name in CHANGES:
        monkeypatch.setattr(module, name, dying(getattr(module, name)))
    return lambda: left[0] <= 0


def outcome(store: Store) -> tuple[Any, ...]:
    log = store.log.drop(columns=["arrived", "uri"]).sort_values("image_id")
    files = {n: data for n, data in store.tree().items() if "/log/" not in n}
    return log.fillna("-").to_numpy().tolist(), files


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_change_it_comes_to_the_same(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_tasks, "ENTRY_IMAGES", 3)
    monkeypatch.setattr(inboxlog, "TRANSFERS", 1)  # one change after the other
    monkeypatch.setattr(inbox_tasks, "TRANSFERS", 1)
    undisturbed = Store((tmp_path / "undisturbed").as_posix())
    fill(undisturbed)
    for _ in range(2):
        undisturbed.ingest()
    expected = outcome(undisturbed)
    after, reached = 1, True
    while reached:
        store = Store((tmp_path / str(after)).as_posix())
        fill(store)
        with monkeypatch.context() as context:
            dead = killed(after, when, context)
            with contextlib.suppress(KilledError):
                store.ingest()
            reached = dead()
        for log_name in store.log["uri"]:
            assert exists_at(log_name)  # an entry never runs ahead of its images
        for _ in range(2):
            store.ingest()
        assert outcome(store) == expected, after
        after += 1
    assert after > 15


def test_an_ingestion_is_finished_by_the_next_in_a_bucket_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between copy and removal, the file is at both places."""
    fill(store)
    with monkeypatch.context() as context:
        name = "_rename" if is_local(store.root) else "_delete_s3"
        context.setattr(moving, name, _die)
        with pytest.raises(KilledError):
            store.ingest()
    assert len(store.log) == 0
    for _ in range(2):
        store.ingest()
    assert len(store.log) == 5
    assert store.tree("inbox/") == {}
    assert len([n for n in store.tree("ingested/images/") if n.endswith(".jpg")]) == 5


def _die(*_: Any) -> None:
    raise KilledError


KILLED_ON_THE_WAY = """
import os, signal, sys
from tasks import inbox, inboxlog
move = inboxlog.move
def moved_and_killed(source, target):
    move(source, target)
    os.kill(os.getpid(), signal.SIGKILL)
inboxlog.move = moved_and_killed
inbox.ingest(sys.argv[1], "inbox", ("car", "bus"))
"""


def test_a_process_that_was_killed_does_not_hold_up_the_next(folder: Store) -> None:
    fill(folder)
    command = [sys.executable, "-c", KILLED_ON_THE_WAY, folder.root]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert len(folder.tree("ingested/images/")) > 0
    assert read_log(folder.root) == []
    assert folder.ingest().n_new == 5
    assert len(folder.log) == 5


def test_an_image_that_changes_meanwhile_is_taken_next_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.drop("cam/a.jpg", picture(1))
    store.drop("cam/b.jpg", picture(2))
    store.drop("cam/z.jpg", picture(1))  # a duplicate of what will not be there
    with monkeypatch.context() as context:

        def and_the_node_writes(uri: str, data: bytes) -> None:
            replace(uri, data)
            store.drop("cam/a.jpg", picture(3, size=(20, 20)))

        context.setattr(inboxlog, "replace", and_the_node_writes)
        done = store.ingest()
    assert (done.n_new, done.n_duplicates, done.n_waiting) == (1, 0, 2)
    assert store.names == ["cam/b.jpg"]
    assert store.ingest().n_new == 2
    assert store.names == ["cam/b.jpg", "cam/a.jpg", "cam/z.jpg"]
    assert [read_uri(uri) for uri in store.log["uri"][1:]] == [
        picture(3, size=(20, 20)),
        picture(1),
    ]


def test_an_image_that_goes_meanwhile_is_not_logged(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("cam/a.jpg", picture(1))

    def and_the_node_removes(uri: str, data: bytes) -> None:
        replace(uri, data)
        remove(f"{folder.root}/inbox/cam/a.jpg")

    monkeypatch.setattr(inboxlog, "replace", and_the_node_removes)
    assert folder.ingest().n_new == 0
    assert read_log(folder.root) == []
    assert folder.tree("ingested/pending") == {}


# The log


@given(st.integers(0, 40))
@settings(max_examples=15)
def test_the_next_number_is_found_without_a_list(n_entries: int) -> None:
    looks = []

    def exists(uri: str) -> bool:
        looks.append(uri)
        return int(Path(uri).stem) <= n_entries

    with pytest.MonkeyPatch.context() as context:
        context.setattr(inboxlog, "exists_at", exists)
        assert next_number("/store") == n_entries + 1
    assert len(looks) <= 2 * (n_entries + 1).bit_length() + 1


def test_the_log_holds_in_a_store_that_was_moved(folder: Store, tmp_path: Path) -> None:
    folder.drop("cam/a.jpg", picture(1))
    folder.ingest()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ingested").rename(tmp_path / "elsewhere" / "ingested")
    [(_, table)] = read_log((tmp_path / "elsewhere").as_posix())
    assert exists_at(table["uri"][0])


def test_the_work_does_not_grow_with_what_came_before(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(20):
        for k in range(3):
            folder.drop(f"cam/{hour}-{k}.jpg", picture(10 * hour + k))
        folder.ingest()
    opened = []

    def open_it(uri: str) -> bytes:
        opened.append(uri)
        return read_uri(uri)

    monkeypatch.setattr("tasks.conditional.read_uri", open_it)
    assert len(read_log(folder.root, after=19)) == 1
    assert len(opened) == 2  # the new one, and that there is none after it


# Moving


def found_at(uri: str) -> Found:
    return next(file for file in walk(uri.rpartition("/")[0]) if file.uri == uri)


def test_moving_is_repeatable_and_overwrites_nothing(store: Store) -> None:
    source, target = f"{store.root}/a/x.bin", f"{store.root}/b/c/y.bin"
    replace(source, b"abc")
    found = found_at(source)
    assert move(found, target)
    assert move(found, target)
    assert read_uri(target) == b"abc"
    assert not exists_at(source)
    assert not move(found, f"{store.root}/b/other.bin")
    replace(source, b"longer")
    with pytest.raises(StoreError, match="expected the 6 of"):
        move(found_at(source), target)
    assert (read_uri(source), read_uri(target)) == (b"longer", b"abc")


def test_what_changed_since_it_was_found_stays(store: Store) -> None:
    source, target = f"{store.root}/a/x.bin", f"{store.root}/b/y.bin"
    replace(source, b"abc")
    found = found_at(source)
    replace(source, b"abcd")
    assert not move(found, target)
    assert read_uri(source) == b"abcd"
    assert not exists_at(target)


def test_links_are_followed_and_loops_end(folder: Store, tmp_path: Path) -> None:
    outside = tmp_path / "disk"
    (outside / "cam").mkdir(parents=True)
    (outside / "cam" / "a.jpg").write_bytes(picture(1))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "cam").symlink_to(outside / "cam")
    (outside / "cam" / "loop").symlink_to(inbox)
    (inbox / "other").mkdir()
    (tmp_path / "original.jpg").write_bytes(picture(2))
    (inbox / "other" / "b.jpg").symlink_to("../../original.jpg")
    (inbox / "other" / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(inbox / "other" / "pipe.jpg")
    assert folder.ingest().n_new == 2
    assert sorted(read_uri(uri) for uri in folder.log["uri"]) == sorted(
        [picture(1), picture(2)]
    )
    assert (tmp_path / "original.jpg").exists()


def test_a_name_that_is_no_text_does_not_hold_up_the_others(
    folder: Store, tmp_path: Path
) -> None:
    folder.drop("cam/a.jpg", picture(1))
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/inbox/cam/\xff.jpg"))).write_bytes(picture(2))
    done = folder.ingest()
    assert done.n_new == 1
    assert "no UTF-8 text" in done.problems[0]
    assert done.problems[0].isascii()


# Labels


@pytest.fixture
def rows(store: Store) -> pd.DataFrame:
    for number, name in enumerate(("a", "b", "c", "2026/d")):
        store.drop(f"cam/{name}.jpg", picture(number))
    store.ingest()
    return store.log


def test_labels_are_read_for_the_images_that_have_some(
    store: Store, rows: pd.DataFrame
) -> None:
    replace(f"{store.root}/labels/cam/a.txt", b"1 0.5 0.5 0.5 0.25\n0 0.25 0.25 0.1 0.1\n")
    replace(f"{store.root}/labels/cam/b.txt", b"")
    replace(f"{store.root}/labels/cam/2026/d.txt", b"\xef\xbb\xbf0 0.5 0.5 1 1")
    replace(f"{store.root}/labels/cam/unknown.txt", b"no label")
    truth = read_truth(store.root, "labels", rows, CLASSES).table.set_index("image_id")
    by_name = dict(zip(rows["name"], truth.loc[rows["image_id"], "labels"], strict=True))
    assert by_name["a.jpg"].tolist() == [[1, 0.5, 0.5, 0.5, 0.25], [0, 0.25, 0.25, 0.1, 0.1]]
    assert by_name["b.jpg"].shape == (0, 5)
    assert by_name["c.jpg"] is None
    assert by_name["2026/d.jpg"].tolist() == [[0, 0.5, 0.5, 1, 1]]
    assert set(truth["label_source"].dropna()) == {"labels"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"0 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.2 0.2",
            r"b.txt:2: error: class 2 is out of range",
        ),
        (b"0 0.5 0.5 0.2", r"cam/b.txt:1: error: expected 5 numbers"),
        (b"\xff\xfe", r"cam/b.txt: error: expected UTF-8 text"),
    ],
)
def test_a_wrong_label_names_file_and_line(
    content: bytes, reason: str, folder: Store, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        folder.drop(f"cam/{name}.jpg", picture(ord(name)))
    folder.ingest()
    replace(f"{folder.root}/labels/cam/b.txt", content)
    with pytest.raises(InputError, match=reason):
        read_truth(folder.root, "labels", folder.log, CLASSES)
    without = folder.log[folder.log["name"] == "a.jpg"]
    assert read_truth(folder.root, "labels", without, CLASSES).table["labels"][0] is None


def test_truth_of_no_images_is_empty(folder: Store) -> None:
    assert len(read_truth(folder.root, "labels", folder.log, CLASSES)) == 0
