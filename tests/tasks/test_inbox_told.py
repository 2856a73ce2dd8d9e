"""What agents of nodes tell beside pictures: sidecars by batches, and summaries of windows."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pandas as pd
import pytest

from backhaul.data.limits import InboxLimits
from backhaul.inbox import windows
from backhaul.inbox.files import fused_of
from backhaul.inbox.ingestion import Ingested
from backhaul.inbox.log import read_log
from backhaul.inbox.origin import arrivals_of
from backhaul.inbox.reference import references_of
from backhaul.inbox.telling import told_table
from backhaul.inbox.windows import read_windows, summaries_in
from backhaul.layout import inbox_entry
from backhaul.storage.objects import exists_at, read_uri, replace
from backhaul.storage.parquet import from_parquet, to_parquet
from tests.agents import put_batch, put_picture, put_window, told_of
from tests.nodes import CLASSES, Store, picture

AT_ONCE = InboxLimits(sidecar_waits=0)


def origin(store: Store) -> Any:
    [text] = store.log["origin"]
    return None if pd.isna(text) else json.loads(text)


def test_a_sidecar_joins_its_picture(store: Store) -> None:
    put_picture(store, "cam", picture(1))
    put_batch(store, "cam", [told_of(picture(1)), told_of(picture(2))])
    done = store.ingest()
    assert (done.n_new, done.n_sidecars, done.n_awaiting, done.problems) == (1, 2, 0, ())
    expected = {"frame_id": "0007", "policy": "own", "why": "explored", "probability": 0.1}
    expected |= {"model": "m1", "window": 12, "value": 0.5, "captured_s": 1_764_000_000.5}
    expected |= {"recipe": ""}
    assert origin(store) == expected
    found = fused_of(store.log, CLASSES)
    assert found.class_id.tolist() == [1]
    assert found.votes.tolist() == [3]
    assert found.scores is not None
    assert found.scores.tolist() == [[0.1, 0.5]]
    arrivals = arrivals_of(store.log)
    assert (arrivals.policy.tolist(), arrivals.is_explored.tolist()) == (["own"], [True])
    assert store.tree("nodes/") == {}
    before = store.tree()
    assert store.ingest() == Ingested()
    assert store.tree() == before


def test_a_picture_waits_for_its_sidecar_and_not_for_ever(store: Store) -> None:
    late, never = picture(1), picture(2)
    put_picture(store, "cam", late)
    put_picture(store, "cam", never)
    store.drop("cam/by-hand.jpg", picture(3))
    first = store.ingest()
    assert (first.n_new, first.n_awaiting) == (1, 2)
    put_batch(store, "cam", [told_of(late)])
    second = store.ingest()
    assert (second.n_new, second.n_awaiting) == (1, 1)
    third = store.ingest()
    assert (third.n_new, third.n_awaiting) == (1, 0)
    assert store.log["origin"].notna().tolist() == [False, True, False]
    assert store.ingest() == Ingested()


def test_what_another_node_tells_does_not_count(store: Store) -> None:
    put_picture(store, "cam", picture(1))
    put_batch(store, "other", [told_of(picture(1))])
    assert store.ingest().n_awaiting == 1
    store.ingest(AT_ONCE)
    assert origin(store) is None


def test_a_name_that_is_no_digest_of_the_content_gets_no_sidecar(store: Store) -> None:
    name = put_picture(store, "cam", picture(1))
    store.drop(name, picture(2))
    put_batch(store, "cam", [told_of(picture(1)), told_of(picture(2))])
    assert store.ingest().n_new == 1
    assert origin(store) is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (b"[]", "is not compressed by gzip, or damaged"),
        (gzip.compress(b"[" * 99_999), "is no JSON (RecursionError)"),
        (gzip.compress(b"{}"), "expected a list of sidecars"),
        (gzip.compress(b"[]")[:-3], "is not one whole file of gzip"),
        (gzip.compress(b"[]" + b" " * 3_000_000), "unpacks to more than 2,000,000 bytes"),
        (gzip.compress(b"[" + b"1," * 2_000 + b"1]"), "2,001 sidecars, expected at most 1,000"),
    ],
    ids=["plain", "deep", "no-list", "cut", "bomb", "many"],
)
def test_a_batch_that_is_wrong_is_set_aside_and_stops_nothing(
    told: bytes, reason: str, folder: Store
) -> None:
    put_batch(folder, "bad", told)
    put_batch(folder, "cam", [told_of(picture(1))])
    put_picture(folder, "cam", picture(1))
    done = folder.ingest(InboxLimits(batch_bytes=2_000_000))
    assert (done.n_new, done.n_sidecars) == (1, 1)
    [problem] = done.problems
    assert f"set aside: {reason}" in problem
    [kept] = folder.tree("ingested/unreadable/nodes/bad/sidecars/").values()
    assert kept == told
    assert folder.ingest() == Ingested()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"probability": 1.5}, "probability: Input should be less than or equal to 1"),
    ({"probability": float("nan")}, "probability: Input should be a finite number"),
    ({"why": "because"}, "why: Input should be"),
    ({"digest": "../../etc"}, "digest: String should match"),
    ({"window": -1}, "window: Input should be greater than or equal to 0"),
    ({"policy": "<script>"}, "policy: String should match"),
    ({"model": "a\nb"}, "model: String should match"),
    ({"frame_id": "x" * 9_999}, "frame_id: String should have at most 1000"),
    ({"detections": [{"xyxy": [[0]]}]}, "detections: 0: xyxy"),
]


@pytest.mark.parametrize(("changes", "reason"), WRONG, ids=[next(iter(c)) for c, _ in WRONG])
def test_a_sidecar_that_is_wrong_leaves_the_others_alone(
    changes: dict[str, Any], reason: str, folder: Store
) -> None:
    put_batch(folder, "cam", [told_of(picture(2), **changes), told_of(picture(1))])
    put_picture(folder, "cam", picture(1))
    done = folder.ingest()
    [problem] = done.problems
    assert f"sidecar 0: {reason}" in problem
    assert (done.n_new, done.n_sidecars) == (1, 1)
    assert origin(folder)["policy"] == "own"


def test_a_class_may_be_named(folder: Store) -> None:
    named = {"class": "bus", "confidence": 0.5, "xyxy": [1, 2, 9, 10]}
    put_batch(folder, "cam", [told_of(picture(1), detections=[named])])
    put_picture(folder, "cam", picture(1))
    assert folder.ingest().problems == ()
    assert fused_of(folder.log, CLASSES).class_id.tolist() == [1]


def test_detections_are_checked_as_those_beside_an_image(folder: Store) -> None:
    wrong = {"class_id": 9, "confidence": 0.5, "xyxy": [1, 2, 9, 10]}
    put_batch(folder, "cam", [told_of(picture(1), detections=[wrong])])
    put_picture(folder, "cam", picture(1))
    done = folder.ingest()
    assert any("class" in problem for problem in done.problems)
    assert folder.log["detections"].isna().all()
    assert origin(folder)["why"] == "explored"


def test_an_entry_of_an_earlier_version_is_read(folder: Store) -> None:
    folder.drop("cam/a.jpg", picture(1))
    folder.ingest()
    place = inbox_entry(folder.root, 1)
    old = from_parquet(pd.DataFrame, read_uri(place)).drop(columns="origin")
    replace(place, to_parquet(old))
    put_picture(folder, "cam", picture(2))
    put_batch(folder, "cam", [told_of(picture(2))])
    folder.ingest()
    rows = pd.concat([rows for _, rows in read_log(folder.root)], ignore_index=True)
    assert arrivals_of(rows).policy.tolist() == ["", "own"]
    assert arrivals_of(old).is_explored.tolist() == [False]


# Windows


def rows_of(store: Store) -> pd.DataFrame:
    return pd.concat([rows for _, rows in read_windows(store.root)], ignore_index=True)


def test_windows_are_a_table_of_one_object_an_ingestion(store: Store) -> None:
    for number in (1, 2):
        put_window(store, "cam", number)
    assert store.ingest().n_windows == 2
    put_window(store, "cam", 3)
    assert store.ingest().n_windows == 1
    assert store.ingest() == Ingested()
    assert [len(rows) for _, rows in read_windows(store.root)] == [2, 1]
    assert [number for number, _ in read_windows(store.root, after=1)] == [2]
    rows = rows_of(store)
    assert rows["number"].tolist() == [1, 2, 3]
    assert rows[["seen", "suppressed", "displaced"]].iloc[0].tolist() == [60, 9, 2]


def test_a_window_that_is_sent_again_is_not_counted_again(store: Store) -> None:
    for _ in range(2):
        put_window(store, "cam", 1)
        store.ingest()
    assert rows_of(store)["number"].tolist() == [1]
    assert store.tree("nodes/") == {}


@pytest.mark.parametrize("call", ["replace", "move", "remember", "create", "remove"])
@pytest.mark.parametrize("after", [False, True])
def test_an_ingestion_that_was_killed_is_finished(
    call: str, after: bool, folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends at each of its changes, before or after it."""
    for number in (1, 2):
        put_window(folder, "cam", number)
    done = getattr(windows, call)

    def killed(*arguments: Any) -> Any:
        if after:
            done(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(windows, call, killed)
        with pytest.raises(KeyboardInterrupt):
            folder.ingest()
    folder.ingest()
    assert rows_of(folder)["number"].tolist() == [1, 2]
    assert references_of(folder.root, "cam")["m1"].windows == (1, 2)
    assert not exists_at(f"{folder.root}/ingested/windows/pending.json")
    assert folder.ingest() == Ingested()


def test_a_plan_of_windows_that_is_none_is_kept_and_stops_nothing(folder: Store) -> None:
    put_window(folder, "cam", 1)
    replace(f"{folder.root}/ingested/windows/pending.json", b'{"number": 1}')
    done = folder.ingest()
    assert done.n_windows == 1
    assert "no plan of ours" in done.problems[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"node": "other"}, "is of another node than cam"),
        ({"seen": -1}, "seen: Input should be greater than or equal to 0"),
        ({"seen": 2**60}, "seen: Input should be less than or equal to"),
        ({"confidence": [1] * 9}, "confidence: List should have at least 10 items"),
        ({"classes": {str(k): 1 for k in range(2_000)}}, "classes: Dictionary should have at"),
        ({"policy": "x" * 70_000}, "expected at most 65,536"),
    ],
)
def test_a_summary_that_is_wrong_is_set_aside(
    changes: dict[str, Any], reason: str, folder: Store
) -> None:
    put_window(folder, "cam", 1, **changes)
    put_window(folder, "cam", 2)
    done = folder.ingest()
    [problem] = done.problems
    assert reason in problem
    assert (done.n_windows, rows_of(folder)["number"].tolist()) == (1, [2])
    assert len(folder.tree("ingested/unreadable/nodes/cam/windows/")) == 1


def test_what_nodes_told_is_summed_up_and_compared_with_their_first_windows(
    folder: Store,
) -> None:
    first = [600, *[0] * 9]
    moved = [0] * 9 + [600]
    put_window(folder, "cam", 1, confidence=first, classes={"0": 600})
    put_window(folder, "cam", 2, confidence=first, classes={"0": 600})
    put_window(folder, "cam", 3, confidence=moved, classes={"0": 600}, policy="other")
    put_window(folder, "cam", 4, confidence=moved, classes={"1": 600}, model="m2")
    folder.ingest()
    told = told_table(folder.root, summaries_in(rows_of(folder)))
    rows = {(row["policy"], row["model"]): row for row in told.to_dict("records")}
    own = rows["own", "m1"]
    assert (own["windows"], own["frames_seen"], own["frames_suppressed"]) == (2, 120, 18)
    assert own["samples_transfer_ratio"] == 12 / 120
    assert own["psi_confidence"] == pytest.approx(0.0)
    assert rows["other", "m1"]["psi_confidence"] > 1.0
    assert rows["other", "m1"]["psi_classes"] == pytest.approx(0.0)
    assert pd.isna(rows["own", "m2"]["psi_confidence"])  # its own first window


def test_status_wants_and_what_grows_are_left_alone(folder: Store) -> None:
    names = ("cam/status.json", "cam/wants.json", "cam/windows/.1.json.new", "cam/sidecars/x")
    for name in names:
        replace(f"{folder.root}/nodes/{name}", b"{}")
    assert folder.ingest() == Ingested()
    assert len(folder.tree("nodes/")) == len(names)
