import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.parallel import side_by_side
from flows.states import awaiting, outcome_of

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def play(calls: dict[str, Callable[[], State[Any]]], parallel: int) -> dict[str, State[Any]]:
    @flow
    def parent() -> dict[str, State[Any]]:
        return side_by_side(calls, parallel, lambda name, state: None)

    return parent()


def fail() -> State[Any]:
    @flow
    def child() -> None:
        raise RuntimeError("broken")

    return child(return_state=True)


def test_what_fails_or_waits_leaves_the_others_alone() -> None:
    calls: dict[str, Callable[[], State[Any]]] = {
        "first": fail,
        "second": lambda: awaiting("3 images wait"),
        "third": Completed,
    }
    outcomes = {name: outcome_of(state) for name, state in play(calls, 1).items()}
    assert list(outcomes) == ["first", "second", "third"]
    assert {name: (o.state, o.error) for name, o in outcomes.items()} == {
        "first": ("failed", "RuntimeError: broken"),
        "second": ("waiting", "3 images wait"),
        "third": ("completed", None),
    }


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_run_at_once_than_may(parallel: int) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def call() -> State[Any]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.1)
        with lock:
            running[0] -= 1
        return Completed()

    play({f"m{i}": call for i in range(6)}, parallel)
    assert most[0] == parallel


def test_subflows_of_threads_belong_to_the_parent() -> None:
    @flow
    def child() -> str:
        from prefect.runtime import flow_run

        return str(flow_run.parent_flow_run_id)

    @flow
    def parent() -> tuple[str, list[str]]:
        from prefect.runtime import flow_run

        found: list[str] = []

        def call() -> State[Any]:
            found.append(child())
            return Completed()

        side_by_side(dict.fromkeys("ab", call), 2, lambda name, state: None)
        return str(flow_run.id), found

    mine, found = parent()
    assert found == [mine, mine]
