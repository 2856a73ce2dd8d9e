"""What home asks of the node itself: new keys are tried first, and a report is sent once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backhaul.link.settings import Allowance, Link
from backhaul.node.happenings import (
    Asked,
    Delivered,
    Effect,
    Failed,
    Gather,
    Gathered,
    KeysParcel,
    Offered,
    Rekey,
    ReportParcel,
    Send,
    StatusParcel,
)
from backhaul.node.records import Memory
from backhaul.node.requests import KEYS_AGAIN_S
from backhaul.node.simulation import Faults
from tests.nodeworld import world
from tests.unit.node.test_agent_faults import HOUR, STEADY, crashing, require_accounted
from tests.unit.node.test_agent_underway import Bench


def parcels(effects: list[Effect]) -> list[object]:
    return [effect.parcel for effect in effects if isinstance(effect, Send)]


def test_keys_are_used_after_they_were_tried_and_home_is_told_at_once() -> None:
    bench = Bench()
    effects = bench.happen(Offered("sealed"))
    assert parcels(effects) == [KeysParcel("sealed")]
    assert not any(isinstance(effect, Rekey) for effect in effects)
    effects = bench.happen(Delivered(KeysParcel("sealed"), 900, 300))
    assert [each for each in effects if isinstance(each, Rekey)] == [Rekey("sealed")]
    assert effects.index(Rekey("sealed")) < effects.index(Send(StatusParcel()))
    bench.happen(Offered(""))  # they are in use
    bench.happen(Delivered(StatusParcel(), 0, 0))
    n = len(bench.sent)
    bench.play(lambda _: False, hours=2)
    assert KeysParcel("sealed") not in bench.sent[n:]


def test_keys_that_worked_and_could_not_be_kept_are_tried_again_later() -> None:
    bench = Bench()
    bench.happen(Offered("sealed"))
    bench.happen(Delivered(KeysParcel("sealed"), 900, 300))  # and the disk is full
    bench.happen(Delivered(StatusParcel(), 0, 0))
    n = len(bench.sent)
    bench.wait(KEYS_AGAIN_S - 10)
    assert bench.sent[n:] == []
    bench.wait(10)
    assert bench.sent[n:] == [KeysParcel("sealed")]


def test_keys_that_do_not_work_hold_up_nothing_and_are_tried_again_later() -> None:
    bench = Bench()
    bench.happen(Offered("sealed"))
    digest = bench.frame(b"a frame", 0.5)
    effects = bench.happen(Failed(KeysParcel("sealed"), 900, 300, "refused", "no such key"))
    assert not any(isinstance(effect, Rekey) for effect in effects)
    assert [getattr(each, "digest", "") for each in parcels(effects)] == [digest]
    assert bench.agent.outgoing.refused == ""
    n = len(bench.sent)
    bench.play(lambda _: False, hours=(KEYS_AGAIN_S - 10) / HOUR)
    assert KeysParcel("sealed") not in bench.sent[n:]
    assert bench.agent.wake_mono_s() == KEYS_AGAIN_S
    bench.wait(10)
    assert bench.sent[-1] == KeysParcel("sealed")


def test_keys_that_home_takes_back_are_not_tried() -> None:
    bench = Bench()
    bench.happen(Offered("sealed"))
    bench.fail("refused")
    bench.happen(Offered(""))
    n = len(bench.sent)
    bench.play(lambda _: False, hours=2)
    assert KeysParcel("sealed") not in bench.sent[n:]


def test_a_link_that_is_down_says_nothing_of_keys() -> None:
    bench = Bench()
    bench.happen(Offered("sealed"))
    bench.fail("down")
    for _ in range(40):
        bench.wait(10)
    assert bench.sent[-1] == KeysParcel("sealed")
    assert len(bench.sent) > 2


def test_a_report_is_sent_once_for_each_question() -> None:
    bench = Bench()
    effects = bench.happen(Asked("1a"))
    assert [each for each in effects if isinstance(each, Gather)] == [Gather("1a", 64_000)]
    assert not any(isinstance(each, Gather) for each in bench.happen(Asked("1a")))
    parcel = ReportParcel("1a", b"as it is")
    assert parcels(bench.happen(Gathered("1a", b"as it is"))) == [parcel]
    assert parcels(bench.happen(Delivered(parcel, 200, 0))) == [StatusParcel()]
    assert bench.agent.standing.memory.answered == "1a"
    assert not any(isinstance(each, Gather) for each in bench.happen(Asked("1a")))
    assert Gather("2b", 64_000) in bench.happen(Asked("2b"))


def test_keys_and_reports_wait_for_their_allowance() -> None:
    hourly = Allowance(period="hour", bytes=20_000)
    bench = Bench(link=Link(allowances=[hourly], overhead_bytes=0))
    gathered = [each for each in bench.happen(Asked("2b")) if isinstance(each, Gather)]
    assert gathered == [Gather("2b", 16_000)]
    bench.happen(Gathered("2b", bytes(15_000)))
    assert bench.sent[-1] == ReportParcel("2b", bytes(15_000))
    bench.happen(Delivered(bench.sent[-1], 19_000, 0))
    bench.happen(Delivered(StatusParcel(), 900, 0))
    n = len(bench.sent)
    bench.happen(Offered("sealed"))
    assert bench.sent[n:] == []
    assert bench.agent.wake_mono_s() < np.inf
    bench.wait(HOUR)
    bench.play(lambda _: False, hours=0.1)
    assert KeysParcel("sealed") in bench.sent[n:]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_ends_the_agent_keys_are_taken_and_a_report_comes(
    tmp_path: Path, seed: int
) -> None:
    """The file of wants is read again after each start; both come of it, and frames as well."""
    rng = np.random.default_rng(seed)
    before, left = crashing(rng, 0.1, 30)
    node = world(
        tmp_path,
        np.sort(rng.uniform(0, HOUR, 60)),
        STEADY,
        before=before,
        faults=Faults(reset=0.2, lost_answer=0.1),
        seed=seed,
    )

    def wants() -> None:
        if node.performer is not None:
            node.happen(Offered("" if node.keys == "sealed" else "sealed"))
            node.happen(Asked("1a"))
        node.heap.at(node.heap.t + 60, wants)

    node.heap.at(1, wants)
    node.start()
    node.heap.run(4 * HOUR)
    assert left[0] < 20, "too few ends to show anything"
    assert node.keys == "sealed"
    assert node.agent.standing.memory.answered == "1a"
    assert node.home.objects["cam report 1a"] == 32_000
    assert require_accounted(node)["sent"] > 30  # others came while it was away


def test_a_memory_of_before_there_were_questions_is_read() -> None:
    assert Memory.model_validate_json('{"schema": 1, "number": 3}').answered == ""
