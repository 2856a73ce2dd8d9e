"""Trees of conditions, what is kept of decisions, and that each fires once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.annotation.waiting import waiting_images
from backhaul.campaign.triggers import AllCondition, AnyCondition, HandCondition
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.conditional import read_or_none
from backhaul.triggers import decisions as module
from backhaul.triggers.asking import all_of, answers_of, any_of, ask, decide, look
from backhaul.triggers.decisions import Answer, Decision, DecisionLog
from backhaul.triggers.hours import allowed, begin_hour, finish_hour, fire_if_full, ready
from backhaul.triggers.labelling import list_unplayed
from backhaul.triggers.wording import became_of
from tests.triggered import BATCH, NOON, Arriving

TRUTHS = st.sampled_from([True, False, None])
ORDER = (False, None, True)
"""From what fails to what holds."""
WRITERS = 8


@given(st.lists(TRUTHS, min_size=1), st.data())
def test_all_and_any_are_monotone(parts: list[bool | None], data: Any) -> None:
    """What holds more in one part never makes the whole hold less."""
    position = data.draw(st.integers(0, len(parts) - 1))
    rank = ORDER.index(parts[position])
    better = [*parts]
    better[position] = data.draw(st.sampled_from(ORDER[rank:]))
    for combine in (all_of, any_of):
        assert ORDER.index(combine(better)) >= ORDER.index(combine(parts))
        known = [data.draw(st.booleans()) if part is None else part for part in parts]
        if combine(parts) is not None:  # what is known does not hang on what is not
            assert combine(known) == combine(parts)


@given(st.lists(TRUTHS, min_size=1))
def test_all_and_any_mirror_each_other(parts: Sequence[bool | None]) -> None:
    opposite = [None if part is None else not part for part in parts]
    mirrored = any_of(opposite)
    assert all_of(parts) == (None if mirrored is None else not mirrored)


def test_a_tree_is_answered_group_by_group(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, None, False])

    def answer(*_: Any) -> Answer:
        return Answer(kind="x", asked="a", found="f", text="t", holds=next(answers))

    monkeypatch.setattr("backhaul.triggers.asking.answer_of", answer)
    hand = HandCondition()
    tree = AllCondition(conditions=(hand, AnyCondition(conditions=(hand, hand))))
    found = answers_of(tree, arriving.unplayed, NOON)
    assert [(a.depth, a.kind, a.holds) for a in found] == [
        (0, "all", None),
        (1, "x", True),
        (1, "any", None),
        (2, "x", None),
        (2, "x", False),
    ]


def labelled(arriving: Arriving, images: int = 2) -> Arriving:
    return arriving.with_triggers({"kind": "labelled", "images": images})


def decided(arriving: Arriving, minutes: float = 0) -> Decision:
    trigger = arriving.run.config.triggers
    assert trigger is not None
    return decide(arriving.run, trigger, NOON + timedelta(minutes=minutes))


def test_nothing_fires_without_a_full_batch(arriving: Arriving) -> None:
    arriving.with_triggers({"kind": "bytes", "bytes": 1})
    arriving.drop(BATCH - 1)
    decision = decided(arriving)
    assert not decision.fires
    assert decision.reason.startswith("no batch is full: 3 of 4 images wait; ")
    arriving.drop(1)
    assert decided(arriving).fires


def test_to_ask_without_recording_writes_nothing(arriving: Arriving) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    trigger = arriving.run.config.triggers
    assert trigger is not None
    assert look(arriving.run, trigger, NOON).fires
    assert read_or_none(arriving.decisions.place) is None


def test_equal_decisions_in_a_row_are_one(arriving: Arriving) -> None:
    labelled(arriving)
    names = arriving.drop(BATCH)
    for minute in range(3):
        decided(arriving, minute)
    arriving.label(names[:1])
    decided(arriving, 3)
    first, second = arriving.decisions.read().decisions
    assert (first.times, first.last_s - first.first_s, first.fires) == (3, 120, False)
    assert (second.times, second.reason) == (1, "1 of 2 labelled images")


def test_what_is_kept_is_bounded(arriving: Arriving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DECISIONS", 3)
    log = DecisionLog()
    for number in range(9):
        text = f"{number} of 2 labelled images"
        log = log.with_decision(
            Decision(fires=number == 1, first_s=number, last_s=number, reason=text)
        )
    assert [decision.first_s for decision in log.decisions] == [6, 7, 8]
    assert log.fired == 1


def test_asking_twice_fires_once(arriving: Arriving) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    first = decided(arriving)
    assert (first.fires, first.number) == (True, 1)
    assert decided(arriving, 60) == first
    assert arriving.decisions.read().fired == 1


def test_of_many_who_ask_at_once_one_fires(arriving: Arriving) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    run = arriving.run
    trigger = run.config.triggers
    assert trigger is not None
    with ThreadPoolExecutor(WRITERS) as threads:
        found = list(
            threads.map(lambda k: decide(run, trigger, NOON + timedelta(seconds=k)), range(8))
        )
    assert {decision.number for decision in found} == {1}
    assert arriving.decisions.read().fired == 1


def test_of_many_who_start_at_once_all_start_the_same(arriving: Arriving) -> None:
    with ThreadPoolExecutor(WRITERS) as threads:
        first = set(threads.map(lambda _: arriving.decisions.start(), range(WRITERS)))
        [start] = first
        again = set(threads.map(lambda _: arriving.decisions.start(start), range(WRITERS)))
    assert len(again) == 1
    assert again != first


def test_what_was_found_before_an_hour_began_does_not_fire_after_it(
    arriving: Arriving,
) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    trigger = arriving.run.config.triggers
    assert trigger is not None
    late = ask(trigger, arriving.unplayed, NOON)
    begin_hour(arriving.run, arriving.state, NOON)
    assert arriving.decisions.record(late) is None
    assert arriving.decisions.read().fired == 1
    assert not decided(arriving).fires


# Hours


def hour(arriving: Arriving, minutes: float = 0) -> list[int]:
    """Play an hour, and return the batches that were played in it."""
    now = NOON + timedelta(minutes=minutes)
    state, _ = begin_hour(arriving.run, arriving.state, now)
    played = [*state.pending("iqr")]
    arriving.play()
    finish_hour(arriving.run, arriving.state, now)
    return played


def test_without_triggers_all_that_is_full_is_played(arriving: Arriving) -> None:
    arriving.drop(2 * BATCH)
    assert hour(arriving) == [0, 1]
    assert read_or_none(arriving.decisions.place) is None
    assert arriving.state.triggered is None


def test_an_hour_plays_once_the_triggers_fire(arriving: Arriving) -> None:
    labelled(arriving)
    names = arriving.drop(BATCH)
    assert hour(arriving) == []
    arriving.label(names[:2])
    assert hour(arriving) == [0]
    assert hour(arriving) == []
    arriving.drop(BATCH)
    assert hour(arriving) == []  # what was labelled of batch 0 is behind
    done = [d for d in arriving.decisions.read().decisions if d.fires]
    assert [(d.number, d.since, d.batches, d.done_s) for d in done] == [
        (1, 0, 1, NOON.timestamp())
    ]


def test_a_batch_that_becomes_full_meanwhile_waits_for_the_next_decision(
    arriving: Arriving,
) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    begin_hour(arriving.run, arriving.state, NOON)
    arriving.drop(BATCH)
    assert [*arriving.state.pending("iqr")] == [0]


@pytest.mark.parametrize("written", ["decided", "begun"])
def test_an_hour_that_was_killed_is_gone_on_with(arriving: Arriving, written: str) -> None:
    labelled(arriving)
    names = arriving.drop(BATCH)
    arriving.label(names)
    decided(arriving)
    if written == "begun":
        arriving.decisions.begin(1)
    for name in names:  # it no longer holds: what was decided stands
        (arriving.folder / "labels" / "cam" / name.replace(".jpg", ".txt")).unlink()
    assert hour(arriving, 5) == [0]
    assert arriving.decisions.read().fired == 1


def test_what_is_fired_by_hand_waits_for_a_full_batch(arriving: Arriving) -> None:
    labelled(arriving, 99)
    arriving.drop(1)
    fired = arriving.decisions.fire("ann", "new camera", NOON.timestamp())
    assert arriving.decisions.fire("bob", "too", NOON.timestamp()) == fired
    assert hour(arriving) == []
    arriving.drop(BATCH)
    assert hour(arriving) == [0]
    assert arriving.decisions.read().standing is None


def fired_by_hand(arriving: Arriving) -> str:
    """Fire, play an hour, and return what is said of it."""
    arriving.drop(BATCH)
    arriving.decisions.fire("ann", "new camera", NOON.timestamp())
    assert len(hour(arriving)) == 1
    return became_of(arriving.decisions.read().decisions[-1])


def test_what_is_fired_by_hand_names_the_batches_that_it_lets_be_played(
    arriving: Arriving,
) -> None:
    """Not those that were played before there were triggers."""
    arriving.drop(2 * BATCH)
    assert hour(arriving) == [0, 1]
    labelled(arriving, 99)
    assert fired_by_hand(arriving).startswith("batch 2: ")


def test_what_is_kept_no_more_is_not_let_be_played_again(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DECISIONS", 2)
    labelled(arriving, 99)
    assert fired_by_hand(arriving).startswith("batch 0: ")
    for _ in range(2):
        arriving.label(arriving.drop(1))  # so that something else is found
        decided(arriving)
    log = arriving.decisions.read()
    assert not any(decision.fires for decision in log.decisions)
    assert log.given == 1
    assert DecisionLog.model_validate(log.model_dump(exclude={"given_before"})).given == 0
    arriving.drop(BATCH - 2)
    arriving.decisions.fire("ann", "again", NOON.timestamp())
    assert hour(arriving) == [1]
    assert became_of(arriving.decisions.read().decisions[-1]).startswith("batch 1: ")


def test_an_hour_of_now_leaves_nothing_for_later(arriving: Arriving) -> None:
    labelled(arriving, 99)
    fire_if_full(arriving.run, arriving.state, NOON)
    assert arriving.decisions.read().fired == 0
    arriving.drop(BATCH)
    fire_if_full(arriving.run, arriving.state, NOON)
    assert hour(arriving) == [0]


def test_a_run_that_gets_triggers_keeps_what_it_played(arriving: Arriving) -> None:
    arriving.drop(2 * BATCH)
    assert hour(arriving) == [0, 1]
    labelled(arriving)
    names = arriving.drop(BATCH)
    assert hour(arriving) == []
    arriving.label(names)
    assert hour(arriving) == [2]
    arriving.changes.pop("triggers")
    arriving.drop(BATCH)
    assert hour(arriving) == [3]


def test_a_state_that_was_lost_plays_what_was_decided(arriving: Arriving) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    state, _ = begin_hour(arriving.run, arriving.state, NOON)
    arriving.drop(BATCH)
    lost = arriving.state.model_copy(update={"triggered": None, "played": {}})
    assert [*lost.pending("iqr")] == [0, 1]
    found = allowed(arriving.run, lost, arriving.decisions.read())
    assert [*found.pending("iqr")] == [*state.pending("iqr")] == [0]


@pytest.mark.parametrize("now", [False, True], ids=["fired", "now"])
def test_a_damaged_record_is_set_aside(arriving: Arriving, now: bool) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    decided(arriving)
    place = Path(arriving.decisions.place)
    place.write_bytes(place.read_bytes()[:-20])
    if now:
        fire_if_full(arriving.run, arriving.state, NOON)
    assert hour(arriving) == [0]
    assert arriving.decisions.read().fired == 1


def test_a_decision_that_fired_is_in_the_log_of_models_once(arriving: Arriving) -> None:
    labelled(arriving).label(arriving.drop(BATCH))
    assert hour(arriving) == [0]
    assert read_log(RegistryFiles(arriving.files)) == ()  # it publishes nothing
    arriving.changes["publish"] = {"method": "iqr"}
    arriving.label(arriving.drop(BATCH))
    decided(arriving)
    begin_hour(arriving.run, arriving.state, NOON)
    begin_hour(arriving.run, arriving.state, NOON)
    [entry] = read_log(RegistryFiles(arriving.files))
    assert (entry.kind, entry.version, entry.by) == ("triggered", None, "triggers")
    assert entry.reason == "4 of 2 labelled images"
    assert entry.values == {"number": 2, "0 labelled": 4}


def test_a_method_is_ready_unless_it_waits_for_labels(arriving: Arriving) -> None:
    from backhaul.campaign.records import Waiting
    from backhaul.campaign.runrecords import WAITING
    from backhaul.storage.objects import write_value

    labelled(arriving)
    names = arriving.drop(BATCH)
    assert ready(arriving.run, allowed(arriving.run, arriving.state, DecisionLog())) == []
    arriving.label(names[:2])
    state, _ = begin_hour(arriving.run, arriving.state, NOON)
    assert ready(arriving.run, state) == ["iqr"]
    rows = arriving.store.log[["node", "name"]].iloc[1:3].reset_index(drop=True)
    listed = Waiting(files=write_value(arriving.root, rows))
    WAITING.write(arriving.files.waiting("iqr0"), listed)
    assert ready(arriving.run, state) == []
    arriving.label(names[2:3])
    assert ready(arriving.run, state) == ["iqr"]


def test_what_nodes_chose_may_be_labelled_before_it_is_played(arriving: Arriving) -> None:
    labelled(arriving).changes["methods"] = [{"kind": "arrived", "policy": "own"}]
    told = arriving.drop(BATCH - 1, why="valued")
    others = arriving.drop(1)
    arriving.label(told[:1])
    begin_hour(arriving.run, arriving.state, NOON)
    list_unplayed(arriving.run, arriving.state)
    waiting = waiting_images(arriving.files)
    assert {image.name for image in waiting} == {*told[1:]}
    assert not {image.name for image in waiting} & {*others}
    assert all(len(image.shown.boxes) == 1 for image in waiting)
    assert Path(arriving.files.view.to_label("arrived-own0")).is_file()
    arriving.label(told[1:2])
    state, _ = begin_hour(arriving.run, arriving.state, NOON)
    assert [*state.pending("arrived-own")] == [0]
    assert waiting_images(arriving.files) == []  # the method asks for what it wants itself


def test_what_is_chosen_at_home_is_not_asked_for_before(arriving: Arriving) -> None:
    labelled(arriving).drop(BATCH)
    list_unplayed(arriving.run, arriving.state)
    assert waiting_images(arriving.files) == []
