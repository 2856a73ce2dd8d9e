"""The inbox, in a folder and in a bucket: what is taken in, and what is set aside."""

from __future__ import annotations

import json
import struct
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.errors import InputError
from backhaul.inbox import ingestion as inbox_tasks
from backhaul.inbox.files import LOG_COLUMNS, fused_of, images_of
from backhaul.inbox.ingestion import Ingested, ingest
from backhaul.inbox.log import next_number, read_log
from backhaul.storage.lease import Lease, LeaseLostError
from backhaul.storage.objects import exists_at, read_uri, replace
from tests.nodes import CLASSES, Store, fill, picture


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


def test_another_inbox_has_no_part_in_the_log(store: Store) -> None:
    store.drop("cam/a.jpg", picture(1))
    store.ingest()
    replace(f"{store.root}/other/cam/b.jpg", picture(2))
    with pytest.raises(InputError, match=r"data\.inbox: 'other': the log of this store is of"):
        ingest(store.root, "other", CLASSES)
    assert store.ingest().n_new == 0


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


def test_a_file_of_a_folder_that_is_no_image_is_set_aside_at_the_second_look(
    folder: Store,
) -> None:
    folder.drop("cam/bad.jpg", picture(1)[:-30])
    folder.drop("cam/good.jpg", picture(2))
    first = folder.ingest()
    assert (first.n_new, first.n_unreadable, first.n_waiting) == (1, 0, 1)
    assert "cam/bad.jpg: warning: unreadable image, looked at again" in first.problems[0]
    second = folder.ingest()
    assert (second.n_new, second.n_unreadable, second.n_waiting) == (0, 1, 0)


@pytest.mark.s3
def test_an_object_of_a_bucket_that_is_no_image_is_set_aside_at_once(bucket: Store) -> None:
    bucket.drop("cam/bad.jpg", picture(1)[:-30])
    done = bucket.ingest()
    assert (done.n_unreadable, done.n_waiting) == (1, 0)
    assert "cam/bad.jpg: warning: unreadable image, set aside" in done.problems[0]


def test_files_that_are_no_images_are_kept_once_and_stop_nothing(store: Store) -> None:
    store.drop("cam/bad.jpg", picture(1)[:-30])
    store.drop("cam/empty.png", b"")
    store.drop("cam/good.jpg", picture(2))
    done = [store.ingest() for _ in range(2)]
    assert sum(each.n_new for each in done) == 1
    assert sum(each.n_unreadable for each in done) == 2
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


def test_a_file_that_still_grows_waits_until_it_is_whole(folder: Store) -> None:
    for size in (0, 200, 250):
        folder.drop("cam/a.jpg", picture(1)[:size])
        assert (folder.ingest().n_waiting, len(folder.log)) == (1, 0)
    folder.drop("cam/a.jpg", picture(1))
    assert (folder.ingest().n_new, folder.ingest()) == (1, Ingested())


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
    assert fused.to_numpy().tolist() == [[log["image_id"][0], 1, 0.5, 0.0, 3, 1, 2, 9, 10, 0.0]]
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
