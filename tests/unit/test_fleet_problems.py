"""What is wrong with nodes, and that it is told once as it begins and once as it ends."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from backhaul.campaign.steps import Steps
from backhaul.fleet import alarms
from backhaul.fleet import windows as fleet_windows
from backhaul.fleet.alarms import Alarms, News, keep_news, news
from backhaul.fleet.nodes import MOST_BYTES, read_fleet
from backhaul.fleet.problems import Problem, problems_of
from backhaul.fleet.rollout import ROLLOUT, Rollout
from backhaul.fleet.status import Status
from backhaul.fleet.watching import Watch, problems_now, rollouts_in
from backhaul.fleet.windows import problems_of_windows, recent_windows
from backhaul.inbox.reference import remember
from backhaul.inbox.summary import Summary
from backhaul.nodelayout import problems_place, rollout_place
from backhaul.storage.objects import replace
from tests.agents import put_window
from tests.nodes import Store

NOW = 2_000_000_000.0
EVEN = [100] * 10


def kinds(status: Status, told_s: float = NOW) -> list[str]:
    return [each.kind for each in problems_of("cam", status, told_s, NOW, 900)]


def well(**changes: object) -> Status:
    return Status(time_s=NOW, disk_free_bytes=10**10).model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"source": "the camera is stuck"}, "camera"),
        ({"last_frame_s_ago": 100_000.0}, "camera"),
        ({"choice_failed": "odd numbers"}, "choice"),
        ({"refused": "no"}, "refused"),
        ({"keys_refused": "they were changed"}, "keys"),
        ({"failures": 10}, "failures"),
        ({"update_refused": "model 0123456789ab: 3 looks in a row failed"}, "model"),
        ({"update_refused": "model 0123456789ab failed here: too slow"}, "model"),
        ({"update_refused": "expired"}, "update"),
        ({"disk_free_bytes": 1}, "disk"),
        ({"time_s": NOW - 1_000}, "clock"),
        ({"totals": {"displaced": 1}, "waiting_bytes": 95, "most_bytes": 100}, "full"),
    ],
)
def test_each_kind_of_a_status(changes: dict[str, object], kind: str) -> None:
    assert kinds(well()) == []
    assert kinds(well(**changes)) == [kind]
    assert kinds(well(**{"time_s": NOW - 1_000, **changes}), NOW - 1_000)[0] == "silent"


def window(number: int, **changes: object) -> Summary:
    fields = {"node": "cam", "number": number, "model": "m1", "seen": 100}
    return Summary.model_validate(fields | changes)


def of_windows(root: Path, told: Sequence[Summary], day_bytes: int | None = None) -> list[str]:
    found = problems_of_windows(str(root), {"cam": told}, 0.25, day_bytes)
    return [each.kind for each in found]


def test_drift_is_told_where_it_is_more_than_chance(tmp_path: Path) -> None:
    classes = {"0": 500, "1": 500}
    remember(str(tmp_path), [window(1, confidence=EVEN, classes=classes)])
    same = window(2, confidence=EVEN, classes=classes)
    moved = window(3, confidence=[910] + [10] * 9, classes={"0": 950, "1": 50})
    assert of_windows(tmp_path, [same]) == []
    assert of_windows(tmp_path, [moved]) == ["drift of confidences", "drift of classes"]
    few = window(3, confidence=[91] + [1] * 9, classes={"0": 100})
    assert of_windows(tmp_path, [few]) == []  # of few objects nothing can be said
    assert of_windows(tmp_path, [window(4, model="m2", confidence=EVEN)]) == []


def test_many_classes_move_the_index_by_chance(tmp_path: Path) -> None:
    """80 classes and 500 objects: 79 * (1 / 500 + 1 / 500) = .3 by chance alone."""
    then = {str(n): 5 + (3 if n % 2 else -2) for n in range(80)}
    now = {str(n): 5 + (-2 if n % 2 else 3) for n in range(80)}
    remember(str(tmp_path), [window(1, confidence=[60] * 10, classes=then)])
    told = window(2, confidence=[60] * 10, classes=now)
    assert of_windows(tmp_path, [told]) == ["drift of classes"]
    near = {str(n): 5 + (1 if n % 3 else -2) for n in range(80)}
    assert of_windows(tmp_path, [told.model_copy(update={"classes": near})]) == []


def test_a_dark_camera_failing_looks_and_a_day_over_budget(tmp_path: Path) -> None:
    assert of_windows(tmp_path, [window(1, counts={"dark": 91})]) == ["camera"]
    assert of_windows(tmp_path, [window(1, counts={"dark": 89})]) == []
    assert of_windows(tmp_path, [window(1, counts={"failed": 6, "unreadable": 5})]) == ["looks"]
    assert of_windows(tmp_path, [window(1, seen=10, counts={"dark": 10})]) == []
    hour = [window(n, began_s=n * 3_600.0, up_bytes=100) for n in range(48)]
    assert of_windows(tmp_path, hour, 2_400) == []  # of two days, each has 24
    assert of_windows(tmp_path, hour, 2_399) == ["budget"]


KEYS = [("a", "disk"), ("a", "silent"), ("group g", "rollout")]
SEEN = st.lists(
    st.tuples(st.sets(st.sampled_from(KEYS)), st.floats(1, 2_000)), min_size=1, max_size=12
)


@given(SEEN)
def test_what_begins_ends_once_before_it_begins_again(
    looks: list[tuple[set[tuple[str, str]], float]],
) -> None:
    known, now_s, open_ = Alarms(), NOW, Counter[tuple[str, str]]()
    for keys, wait_s in looks:
        now_s += wait_s
        new = news(known, [Problem(*key, "text") for key in sorted(keys)], now_s)
        open_.update((each.subject, each.kind) for each in new.begun)
        open_.subtract((each.subject, each.kind) for each in new.over)
        known = new.alarms
        assert set(open_.values()) <= {0, 1}
        assert {key for key, n in open_.items() if n} == {
            (k.subject, k.kind) for k in known.known
        }
        assert keys <= {(k.subject, k.kind) for k in known.known}
        assert all(now_s - each.seen_s >= alarms.OVER_S for each in new.over)
        assert news(known, [Problem(*key, "t") for key in keys], now_s).begun == ()


def test_a_restart_repeats_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    root, told = str(tmp_path), list[News]()
    found = [Problem("cam", "disk", "little disk: 1 MB")]

    def fail(new: News) -> None:
        raise OSError("the server is away")

    with pytest.raises(OSError, match="away"):
        keep_news(root, found, NOW, fail)
    keep_news(root, found, NOW, told.append)
    keep_news(root, [Problem("cam", "disk", "little disk: 0 MB")], NOW + 300, told.append)
    keep_news(root, [], NOW + 600, told.append)
    keep_news(root, [], NOW + 1_200, told.append)
    assert [(len(new.begun), len(new.over)) for new in told] == [(1, 0), (0, 1)]
    assert told[1].over[0].text == "little disk: 0 MB"
    assert told[1].over[0].since_s == NOW


def test_a_damaged_record_is_set_aside(tmp_path: Path) -> None:
    replace(problems_place(str(tmp_path)), b'{"schema": 1, "known"')
    told = list[News]()
    keep_news(str(tmp_path), [Problem("cam", "disk", "x")], NOW, told.append)
    assert len(told[0].begun) == 1


def test_a_damaged_rollout_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    root = str(tmp_path)
    replace(rollout_place(root, "night"), b"{}")
    assert rollouts_in(root)[0] == []
    [problem] = problems_now(root, Watch(), [], {}, NOW)
    assert (problem.subject, problem.kind) == ("group night", "rollout")


def test_no_windows_and_no_nodes_are_no_problem(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert recent_windows(root, NOW) == {}
    assert problems_now(root, Watch(), read_fleet(root, NOW, 900), {}, NOW) == []


def test_a_node_that_tells_without_end_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_windows, "MOST_WINDOWS", 2)
    store = Store(str(tmp_path))
    for number in range(5):
        put_window(store, "loud", number, began_s=0.0)
    put_window(store, "quiet", 1, began_s=0.0)
    store.ingest()
    told = recent_windows(store.root, time.time())
    assert {node: [each.number for each in every] for node, every in told.items()} == {
        "loud": [3, 4],
        "quiet": [1],
    }
    assert len(fleet_windows.last_windows(store.root)) == 3


def put_status(root: Path, node: str, content: bytes = b"{}") -> Path:
    place = root / "nodes" / node / "status.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    return place


def test_one_status_that_cannot_be_read_keeps_nobody_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_status(tmp_path, "good")
    refused = put_status(tmp_path, "refused", b"no JSON")
    put_status(tmp_path, "wild", b'{"time_s": 1e300}')
    grown = put_status(tmp_path, "grown", b" " * (MOST_BYTES + 1))
    for name in ("loop", "pipe"):
        (tmp_path / "nodes" / name).mkdir()
    (tmp_path / "nodes/loop/status.json").symlink_to("status.json")
    os.mkfifo(tmp_path / "nodes/pipe/status.json")
    info = LocalFileSystem.info

    def denied(self: LocalFileSystem, path: str, **more: object) -> object:
        if path == str(refused):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        found = info(self, path, **more)
        return {**found, "size": 2} if path == str(grown) else found  # it was small just now

    monkeypatch.setattr(LocalFileSystem, "info", denied)
    views = {view.name: view for view in read_fleet(str(tmp_path), NOW, 1e10)}
    assert sorted(views) == ["good", "grown", "refused", "wild"]
    assert [name for name, view in views.items() if view.status] == ["good"]
    assert views["refused"].problems == ("its status cannot be read",)


def test_no_folder_passes_for_a_group_or_for_what_publishes(tmp_path: Path) -> None:
    for name in ("cam-1", "group all", "a\nb", ".hidden", "x" * 64):
        put_status(tmp_path, name)
    assert [view.name for view in read_fleet(str(tmp_path), NOW, 900)] == ["cam-1"]


def test_what_lies_beside_statuses_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in ("a", "b"):
        (tmp_path / "nodes" / node / "sidecars").mkdir(parents=True)
        (tmp_path / "nodes" / node / "sidecars/1.json.gz").write_bytes(b"")
    (tmp_path / "nodes/a/status.json").write_text(json.dumps({"node": "a"}))
    (tmp_path / "nodes/status.json").write_text("{}")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("all files were listed")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.find", refuse)
    assert [view.name for view in read_fleet(str(tmp_path), NOW, 900)] == ["a"]


def test_a_probation_without_an_end_is_told(tmp_path: Path) -> None:
    root = str(tmp_path)
    plan = Rollout(
        group="all",
        name="cars-v2",
        model="ab" * 32,
        releases=("1" * 64,),
        steps=Steps(cohorts=(1.0,)),
        began_s=NOW - 8 * 86_400,
        held_for="cars@2",
    )
    ROLLOUT.write(rollout_place(root, "all"), plan)
    [problem] = problems_now(root, Watch(), [], {}, NOW)
    assert (problem.subject, problem.kind) == ("group all", "probation")
    assert problem.text.startswith("cars@2 is on probation for 8 d: it waits for labelled")
    assert problems_now(root, Watch(probation_d=9), [], {}, NOW) == []
