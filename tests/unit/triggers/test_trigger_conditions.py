"""What each condition finds: at the edges, and where nothing is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from backhaul.campaign.triggers import MetricCondition, Trigger, WindowCondition
from backhaul.fleet import windows
from backhaul.fleet.windows import last_windows, recent_windows
from backhaul.inbox.reference import Reference, remember
from backhaul.inbox.summary import Summary
from backhaul.inbox.windows import WINDOW_COLUMNS
from backhaul.nodelayout import windows_entry
from backhaul.registry.cards import Card
from backhaul.registry.decisions import decide as accept
from backhaul.registry.registering import register
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import replace
from backhaul.storage.parquet import to_parquet
from backhaul.triggers.conditions import answer_of
from backhaul.triggers.decisions import Answer
from tests.agents import put_window
from tests.triggered import BATCH, HIT, NOON, OTHER, Arriving

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)
ALIKE = [60] * 10


def answer(arriving: Arriving, kind: str, now: datetime = NOON, **fields: Any) -> Answer:
    condition = TRIGGER.validate_python({"kind": kind, **fields})
    return answer_of(condition, arriving.unplayed, now)


def within(hours: str, when: str, timezone: str = "UTC") -> bool | None:
    condition = WindowCondition(hours=(hours,), timezone=timezone)
    return answer_of(condition, None, datetime.fromisoformat(when)).holds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-03-02T21:59:59+00:00", False),
        ("2026-03-02T22:00:00+00:00", True),
        ("2026-03-02T23:59:59+00:00", True),
        ("2026-03-03T00:00:00+00:00", True),
        ("2026-03-03T05:59:59+00:00", True),
        ("2026-03-03T06:00:00+00:00", False),
    ],
)
def test_a_window_goes_over_midnight(when: str, holds: bool) -> None:
    assert within("22:00-06:00", when) is holds


def test_a_window_ends_at_midnight_or_begins_there() -> None:
    assert within("22:00-24:00", "2026-03-02T23:59:00+00:00")
    assert not within("22:00-24:00", "2026-03-03T00:00:00+00:00")
    assert within("00:00-06:00", "2026-03-03T00:00:00+00:00")


def test_a_window_goes_by_the_clock_of_its_zone_in_summer_and_winter() -> None:
    berlin = "Europe/Berlin"
    assert within("22:00-23:00", "2026-01-10T21:30:00+00:00", berlin)
    assert not within("22:00-23:00", "2026-07-10T21:30:00+00:00", berlin)
    assert within("22:00-23:00", "2026-07-10T20:30:00+00:00", berlin)


def test_an_hour_that_the_clock_leaves_out_or_repeats() -> None:
    """In Berlin, 02:00 to 03:00 was missing on 2026-03-29, and came twice on 2026-10-25."""
    berlin, spring, autumn = "Europe/Berlin", "2026-03-29T", "2026-10-25T"
    missing = [within("02:00-03:00", f"{spring}{h:02d}:30:00+00:00", berlin) for h in range(24)]
    assert not any(missing)
    twice = [within("02:00-03:00", f"{autumn}{h:02d}:30:00+00:00", berlin) for h in range(24)]
    assert [hour for hour, holds in enumerate(twice) if holds] == [0, 1]


def test_labelled_images_count_once_their_batch_is_full(arriving: Arriving) -> None:
    found = answer(arriving, "labelled", images=2)
    assert (found.holds, found.value, found.text) == (False, 0, "0 of 2 labelled images")
    names = arriving.drop(BATCH + 3)
    arriving.label(names[BATCH:])  # these wait for their batch
    assert answer(arriving, "labelled", images=2).value == 0
    arriving.label(names[:1])
    arriving.label(names[1:2], "7 not a label\n")
    assert answer(arriving, "labelled", images=2).text == "1 of 2 labelled images"
    arriving.label(names[1:2], "")  # nothing is in it, which is a label
    assert answer(arriving, "labelled", images=2).holds


def test_labels_that_code_makes_are_not_counted(arriving: Arriving) -> None:
    arriving.changes["labelling"] = {"source": "tests.own_code:label"}
    found = answer(arriving, "labelled", images=1)
    assert found.holds is None
    assert "labelling.source" in found.text


def test_bytes_that_were_not_played_count_from_the_first_on(arriving: Arriving) -> None:
    assert answer(arriving, "bytes", bytes=1).holds is False
    arriving.drop(BATCH + 1)
    total = int(arriving.store.log["size_bytes"].sum())
    assert answer(arriving, "bytes", bytes=total).holds is True
    over = answer(arriving, "bytes", bytes=total + 1)
    assert (over.holds, over.text) == (False, f"{total:,} of {total + 1:,} bytes")
    arriving.play()
    left = int(arriving.store.log["size_bytes"].iloc[-1])
    assert answer(arriving, "bytes", bytes=1).value == left


def test_drift_is_that_of_the_node_which_moved_furthest(arriving: Arriving) -> None:
    now = datetime.now(UTC)
    unknown = answer(arriving, "drift", now)
    assert (unknown.holds, unknown.text) == (None, "drift: no window was told in the last day")
    classes = {"0": 300, "1": 300}
    for node in ("cam-a", "cam-b"):
        put_window(arriving.store, node, 1, confidence=ALIKE, classes=classes)
    arriving.store.ingest()
    assert answer(arriving, "drift", now).text == "drift: too few objects told"
    put_window(arriving.store, "cam-a", 2, confidence=ALIKE, classes=classes)
    put_window(arriving.store, "cam-b", 2, confidence=ALIKE, classes={"0": 580, "1": 20})
    arriving.store.ingest()
    moved = answer(arriving, "drift", now)
    assert moved.holds is True
    assert "of classes at cam-b" in moved.text
    assert answer(arriving, "drift", now, what="confidences").holds is False
    assert answer(arriving, "drift", now, what="classes", above=9.0).holds is False


FEW = [0, 0, 0, 0, 0, 0, 0, 0, 0, 5]
"""Objects of a window of ten minutes."""


def put_entry(root: str, number: int, minutes_ago: float, **seen: Any) -> None:
    """Put an entry of the table of windows: one window, that was taken in by itself."""
    at = NOON - timedelta(minutes=minutes_ago)
    told = Summary(node="cam", number=number, model="m", began_s=at.timestamp(), **seen)
    row = dict.fromkeys(WINDOW_COLUMNS, 0) | {"arrived": at, "node": "cam", "model": "m"}
    table = pd.DataFrame([row | {"summary": told.model_dump_json()}])
    replace(windows_entry(root, number), to_parquet(table))


def test_drift_looks_at_all_that_was_taken_in_within_a_day(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where each ten minutes make an entry, and a day has many of few objects."""
    first = Summary(node="cam", number=1, model="m", confidence=ALIKE, classes={"0": 600})
    remember(arriving.root, [first])
    for number in range(1, 150):
        ago = 10 * (149 - number)
        put_entry(arriving.root, number, ago, confidence=FEW, classes={"1": 5})
    found = answer(arriving, "drift", NOON, what="classes")
    assert found.holds is True
    told = recent_windows(arriving.root, NOON.timestamp())["cam"]
    assert [each.number for each in told] == [*range(5, 150)]
    assert len(last_windows(arriving.root)) == 149
    monkeypatch.setattr(windows, "MOST_BYTES", 1)
    told = recent_windows(arriving.root, NOON.timestamp())["cam"]
    assert [each.number for each in told] == [*range(150 - TRANSFERS, 150)]


def test_drift_is_known_of_a_camera_that_began_at_night(arriving: Arriving) -> None:
    """Windows without an object are none of those that later ones are compared with."""
    night = [Summary(node="cam", number=n, model="m") for n in range(1, 30)]
    day = Summary(node="cam", number=30, model="m", confidence=ALIKE, classes={"0": 600})
    remember(arriving.root, [*night, day])
    put_entry(arriving.root, 1, 0, confidence=ALIKE, classes={"1": 600})
    assert answer(arriving, "drift", NOON, what="classes").holds is True
    stored = Reference(model="m", windows=tuple(range(24)))  # as it was before
    assert stored.with_window(day).confidence == tuple(ALIKE)


def metric(arriving: Arriving, **fields: Any) -> Answer:
    given = {"of": "labelled", "name": "prec", "op": ">=", "value": 0.5, "least_images": 2}
    return answer(arriving, "metric", **{**given, **fields})


def test_a_metric_is_unknown_until_enough_is_labelled(arriving: Arriving) -> None:
    assert metric(arriving).holds is None
    names = arriving.drop(3)
    arriving.label(names[:1])
    few = metric(arriving)
    assert few.holds is None
    assert few.text.startswith("prec of labelled frames: 1 of 2 labelled frames")
    arriving.label(names[1:2], OTHER)
    found = metric(arriving)
    assert (found.value, found.holds) == (0.5, True)  # one object was hit, one was another


@pytest.mark.parametrize(
    ("op", "holds"), [(">", False), (">=", True), ("<", False), ("<=", True), ("=", True)]
)
def test_a_level_is_compared_as_asked(op: str, holds: bool, arriving: Arriving) -> None:
    names = arriving.drop(2)
    arriving.label(names[:1])
    arriving.label(names[1:], OTHER)
    assert metric(arriving, op=op).holds is holds


def test_metrics_of_what_nodes_saw(arriving: Arriving) -> None:
    names = arriving.drop(2)
    arriving.label(names[:1])
    arriving.label(names[1:], HIT + OTHER)
    found = {name: metric(arriving, name=name).value for name in ("recall", "acc", "F1")}
    assert found == pytest.approx({"recall": 2 / 3, "acc": 2 / 3, "F1": 0.8})
    assert metric(arriving, name="mAP50").value == pytest.approx(0.5)


def test_explored_frames_stand_for_all_that_were_captured(arriving: Arriving) -> None:
    rare = arriving.drop(1, why="explored", probability=0.1)
    often = arriving.drop(1, why="explored", probability=0.5)
    arriving.label([*rare, *arriving.drop(1, why="valued", probability=0.5)])
    assert metric(arriving, of="explored").holds is None
    arriving.label(often, OTHER)
    found = metric(arriving, of="explored")
    assert found.value == pytest.approx(10 / 12)
    assert found.text.startswith("prec of explored frames: 0.833 on 2 frames")
    assert metric(arriving, of="explored", name="F1").value == pytest.approx(10 / 12)


def test_frames_without_what_the_node_saw_say_nothing(arriving: Arriving) -> None:
    arriving.store.drop("cam/bare.jpg", b"")
    names = arriving.drop(2)
    arriving.label(names, "")
    assert metric(arriving, name="recall").text.endswith("undefined, 0 / 0")


def test_a_change_is_that_to_the_champion(arriving: Arriving) -> None:
    names = arriving.drop(BATCH)
    arriving.label(names)
    change = {"value": None, "change": 0.0}
    initial = metric(arriving, op=">", **change)
    assert initial.value == pytest.approx(0.5)
    assert initial.text == (
        "prec of labelled frames: 1.000 on 4 frames, +0.500 to init, asked > 0"
    )
    arriving.play()  # prec .6
    names = arriving.drop(BATCH)
    arriving.label(names, OTHER)
    last = metric(arriving, op="<", **change)
    assert last.value == pytest.approx(-0.6)
    assert last.holds
    assert "to iqr0" in last.text
    arriving.changes["publish"] = {"method": "iqr"}
    accepted = arriving.round_of("iqr", 0, 0.8)
    card = register(
        RegistryFiles(arriving.files),
        Card(
            version=0,
            run="edge",
            method="iqr",
            batch=0,
            checkpoints=accepted.standing.checkpoints,
            current=accepted.standing.current,
            seen=accepted.standing.seen,
            evaluation=accepted.evaluation,
        ),
    )
    assert "to iqr0" in metric(arriving, **change).text  # nobody has accepted it
    accept(RegistryFiles(arriving.files), card.version, "accepted", by="ann", reason="good")
    champion = metric(arriving, **change)
    assert champion.value == pytest.approx(-0.8)
    assert "to edge@1" in champion.text


def test_by_hand_never_holds_by_itself(arriving: Arriving) -> None:
    arriving.drop(BATCH)
    assert answer(arriving, "hand").holds is False


def test_f1_follows_from_accuracy(arriving: Arriving) -> None:
    fields: dict[str, Any] = {"of": "labelled", "op": "ge", "change": 0.0, "name": "F1"}
    condition = MetricCondition(**fields, least_images=1)
    arriving.label(arriving.drop(1))
    found = answer_of(condition, arriving.unplayed, NOON)
    assert found.value == pytest.approx(1 - 2 * 0.5 / 1.5)  # the initial model's accuracy is .5
