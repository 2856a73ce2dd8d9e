"""The log of the inbox, the moving of files, and labels."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.inbox import log as inboxlog
from backhaul.inbox import numbered
from backhaul.inbox.labels import read_truth
from backhaul.inbox.log import next_number, read_log
from backhaul.storage import moving
from backhaul.storage.moving import Found, move, walk
from backhaul.storage.objects import exists_at, read_uri, replace
from tests.nodes import CLASSES, Store, picture

# The log


@given(st.integers(0, 40))
@settings(max_examples=15)
def test_the_next_number_is_found_without_a_list(n_entries: int) -> None:
    looks = []

    def exists(uri: str) -> bool:
        looks.append(uri)
        return int(Path(uri).stem) <= n_entries

    with pytest.MonkeyPatch.context() as context:
        context.setattr(numbered, "exists_at", exists)
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

    monkeypatch.setattr("backhaul.storage.conditional.read_uri", open_it)
    assert len(read_log(folder.root, after=19)) == 1
    assert len(opened) == 2  # the new one, and that there is none after it


# Plans that are not ours

ARRIVAL = {
    "image_id": "ab" * 16,
    "suffix": ".jpg",
    "width": 16,
    "height": 12,
    "node": "cam",
    "name": "a.jpg",
    "image": {"uri": "/elsewhere/secret.txt", "size_bytes": 6, "stamp": "0"},
    "beside": None,
    "detections": None,
}
ENTRY = {"number": 1, "arrived": "2026-01-01T00:00:00Z", "arrivals": [ARRIVAL]}
BESIDE = {"uri": "/elsewhere/..", "size_bytes": 6, "stamp": "0"}


def planned(**changes: object) -> bytes:
    return json.dumps({**ENTRY, "arrivals": [{**ARRIVAL, **changes}]}).encode()


FORGED = {
    "an id that leads out": planned(image_id="../../elsewhere/b"),
    "an id with a line": planned(image_id="ab" * 16 + "\n"),
    "a suffix that leads out": planned(suffix="/../../../b.txt"),
    "a node that leads out": planned(node="../elsewhere", name="secret.txt"),
    "a name that leads out": planned(name="../../elsewhere/secret.txt"),
    "no name": planned(name=""),
    "detections that lead out": planned(beside=BESIDE),
    "another number": json.dumps({**ENTRY, "number": 7}).encode(),
    "no number": json.dumps({**ENTRY, "number": -1}).encode(),
    "half of one": planned()[:-20],
    "sides without end": planned(width=10**30),
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "depth": b"[" * 100_000,
    "a class": b'{"__class__": "subprocess.Popen", "data": {"args": "true"}}',
}


@pytest.mark.parametrize("name", FORGED)
def test_a_plan_that_is_not_ours_is_set_aside_and_stops_nobody(name: str, store: Store) -> None:
    replace(f"{store.root}/elsewhere/secret.txt", b"secret")
    replace(f"{store.root}/ingested/pending/00000001.json", FORGED[name])
    store.drop("cam/new.jpg", picture(1))
    ingested = store.ingest()
    assert store.names == ["cam/new.jpg"]
    assert any("no plan of ours" in problem for problem in ingested.problems)
    tree = store.tree()
    assert tree["elsewhere/secret.txt"] == b"secret"
    [kept] = [file for file in tree if file.startswith("ingested/damaged/00000001.json.")]
    assert tree[kept] == FORGED[name]
    assert not [file for file in tree if file.startswith("ingested/pending/")]
    assert store.ingest().problems == ()


def test_a_plan_moves_nothing_that_is_not_in_the_inbox(store: Store) -> None:
    replace(f"{store.root}/elsewhere/secret.txt", b"secret")
    outside = found_at(f"{store.root}/elsewhere/secret.txt")
    replace(
        f"{store.root}/ingested/pending/00000001.json",
        planned(image=outside.model_dump()),
    )
    assert store.ingest().n_new == 0
    tree = store.tree()
    assert tree == {"elsewhere/secret.txt": b"secret"}


def test_the_good_part_of_a_plan_is_finished(folder: Store) -> None:
    folder.drop("cam/a.jpg", picture(1))
    folder.drop("cam/b.jpg", picture(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inboxlog, "_finish", lambda *_: [])
        folder.ingest()
    [plan] = Path(folder.root, "ingested", "pending").iterdir()
    content = json.loads(plan.read_text())
    content["arrivals"].append({**ARRIVAL, "name": "../../x"})
    plan.write_text(json.dumps(content))
    assert "no plan of ours" in folder.ingest().problems[0]
    assert sorted(folder.names) == ["cam/a.jpg", "cam/b.jpg"]


def test_a_folder_that_became_a_link_is_not_moved_from(folder: Store, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.jpg").write_bytes(b"secret")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "cam").symlink_to(tmp_path / "private")
    outside = found_at(f"{folder.root}/private/a.jpg")
    replace(
        f"{folder.root}/ingested/pending/00000001.json", planned(image=outside.model_dump())
    )
    assert folder.ingest().n_new == 0
    assert (tmp_path / "private" / "a.jpg").read_bytes() == b"secret"


# Moving


def found_at(uri: str) -> Found:
    return next(file for file in walk(uri.rpartition("/")[0])[0] if file.uri == uri)


def test_moving_is_repeatable_and_overwrites_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = f"{store.root}/a/x.bin", f"{store.root}/b/c/y.bin"
    replace(source, b"abc")
    found = found_at(source)
    assert move(found, target, store.root)
    assert move(found, target, store.root)
    assert read_uri(target) == b"abc"
    assert not exists_at(source)
    assert not move(found, f"{store.root}/b/other.bin", store.root)
    replace(source, b"longer")
    assert not move(found_at(source), target, store.root)
    assert "expected the 6 of" in caplog.text
    assert (read_uri(source), read_uri(target)) == (b"longer", b"abc")


def test_what_changed_since_it_was_found_stays(store: Store) -> None:
    source, target = f"{store.root}/a/x.bin", f"{store.root}/b/y.bin"
    replace(source, b"abc")
    found = found_at(source)
    replace(source, b"abcd")
    assert not move(found, target, store.root)
    assert read_uri(source) == b"abcd"
    assert not exists_at(target)


def test_no_link_of_a_node_is_followed(folder: Store, tmp_path: Path) -> None:
    outside = tmp_path / "disk"
    (outside / "cam").mkdir(parents=True)
    (outside / "cam" / "a.jpg").write_bytes(picture(1))
    (tmp_path / "original.jpg").write_bytes(picture(2))
    inbox = tmp_path / "inbox"
    (inbox / "other").mkdir(parents=True)
    (inbox / "cam").symlink_to(outside / "cam")
    (inbox / "mine").symlink_to(outside)
    (inbox / "other" / "loop").symlink_to(inbox)
    (inbox / "other" / "b.jpg").symlink_to("../../original.jpg")
    (inbox / "other" / "gone.jpg").symlink_to("nowhere")
    (inbox / "other" / "c.detections.json").symlink_to("../../original.jpg")
    os.mkfifo(inbox / "other" / "pipe.jpg")
    folder.drop("other/c.jpg", picture(3))
    for _ in range(2):
        problems = folder.ingest().problems
        assert folder.names == ["other/c.jpg"]
        left = {p.partition(":")[0].rpartition("/")[2] for p in problems if "left alone" in p}
        assert left == {"cam", "mine", "loop"}
    assert (outside / "cam" / "a.jpg").read_bytes() == picture(1)
    assert (tmp_path / "original.jpg").read_bytes() == picture(2)


@pytest.mark.parametrize("other_disk", [False, True])
def test_a_file_that_becomes_a_link_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_disk: bool
) -> None:
    secret, source = tmp_path / "secret.txt", tmp_path / "a" / "x.jpg"
    target = tmp_path / "b" / "y.jpg"
    source.parent.mkdir()
    target.parent.mkdir()
    secret.write_bytes(b"secret")
    source.symlink_to(secret)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    if other_disk:
        monkeypatch.setattr(os, "rename", refuse)
    with moving._opened(str(source), str(tmp_path)) as folder:
        assert not moving._rename(source.name, folder, target)
    assert not target.exists()
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize("level", ["a", "a/b"])
def test_a_folder_that_becomes_a_link_is_not_entered(tmp_path: Path, level: str) -> None:
    """Also where what lies there has the size and time of what was found."""
    theirs, source = tmp_path / "theirs", tmp_path / "inbox" / "a" / "b" / "x.jpg"
    for path in (theirs / "x.jpg", theirs / "b" / "x.jpg", source):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
        os.utime(path, (1, 1))
    found = found_at(str(source))
    (tmp_path / "inbox" / level).rename(tmp_path / "gone")
    (tmp_path / "inbox" / level).symlink_to(theirs)
    assert not move(found, f"{tmp_path}/taken.jpg", f"{tmp_path}/inbox")
    assert (theirs / "x.jpg").exists()
    assert (theirs / "b" / "x.jpg").exists()


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
    truth = read_truth(f"{store.root}/labels", rows, CLASSES).table.set_index("image_id")
    by_name = dict(zip(rows["name"], truth.loc[rows["image_id"], "labels"], strict=True))
    boxes = [[1, 0.5, 0.5, 0.5, 0.25], [0, 0.25, 0.25, 0.1, 0.1]]
    assert by_name["a.jpg"].rows().tolist() == boxes
    assert len(by_name["b.jpg"]) == 0
    assert by_name["c.jpg"] is None
    assert by_name["2026/d.jpg"].rows().tolist() == [[0, 0.5, 0.5, 1, 1]]
    assert set(truth["label_source"].dropna()) == {"labels"}
    [first, *_] = truth[truth["labels"].notna()].index
    told = read_truth(f"{store.root}/labels", rows, CLASSES, "labels", {first: "cvat"}).table
    sources = told.set_index("image_id")["label_source"].dropna()
    assert sources[first] == "cvat"
    assert set(sources.drop(first)) == {"labels"}


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
def test_a_wrong_label_names_file_and_line_and_counts_as_none(
    content: bytes, reason: str, folder: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        folder.drop(f"cam/{name}.jpg", picture(ord(name)))
    folder.ingest()
    replace(f"{folder.root}/labels/cam/b.txt", content)
    replace(f"{folder.root}/labels/cam/a.txt", b"0 0.5 0.5 0.2 0.2")
    truth = read_truth(f"{folder.root}/labels", folder.log, CLASSES).table
    known = truth.set_index("image_id")["labels"]
    a, b = (folder.log.set_index("name")["image_id"][name] for name in ("a.jpg", "b.jpg"))
    assert len(known[a]) == 1
    assert known[b] is None
    assert re.search(reason, caplog.text)
    assert "cam/b.txt: counts as not labelled until mended" in caplog.text


def test_truth_of_no_images_is_empty(folder: Store) -> None:
    assert len(read_truth(f"{folder.root}/labels", folder.log, CLASSES)) == 0
