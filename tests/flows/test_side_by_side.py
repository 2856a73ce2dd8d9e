import threading
import time
from collections.abc import Callable

import pytest
from prefect import flow

from backhaul.errors import AwaitingLabelsError
from flows.campaign import side_by_side
from tasks.runfolder import MethodOutcome

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def play(calls: dict[str, Callable[[], object]], parallel: int) -> dict[str, MethodOutcome]:
    @flow
    def parent() -> dict[str, MethodOutcome]:
        return side_by_side(calls, parallel)

    return parent()


def fail(error: Exception) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


def test_what_fails_or_waits_leaves_the_others_alone() -> None:
    calls = {
        "first": fail(RuntimeError("broken")),
        "second": fail(AwaitingLabelsError("3 images wait")),
        "third": lambda: None,
    }
    outcomes = play(calls, 1)
    assert list(outcomes) == ["first", "second", "third"]
    assert {name: (o.state, o.error) for name, o in outcomes.items()} == {
        "first": ("failed", "RuntimeError: broken"),
        "second": ("waiting", "3 images wait"),
        "third": ("completed", None),
    }


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_run_at_once_than_may(parallel: int) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def call() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.1)
        with lock:
            running[0] -= 1

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
        side_by_side({name: lambda: found.append(child()) for name in "ab"}, 2)
        return str(flow_run.id), found

    mine, found = parent()
    assert found == [mine, mine]
