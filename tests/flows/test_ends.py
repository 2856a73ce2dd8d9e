"""What a parent knows of its children on a real server, and which it starts again."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Scheduled

from backhaul.campaign.outcome import MethodOutcome
from backhaul.events import Elsewhere, Happening, MethodEnded, Place, listening
from flows import ends
from flows.ends import Awaited, await_ends
from flows.states import overall

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

RESTARTS = 2
NOT_BEGUN: tuple[State, ...] = (Pending(), Crashed(message="all connection attempts failed"))


@flow
def nothing() -> None:
    """End at once."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncPrefectClient]:
    monkeypatch.setattr(ends, "POLL_S", 0.02)
    monkeypatch.setattr(ends, "REPORTED_S", 0.1)
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def run(client: SyncPrefectClient) -> UUID:
    made: UUID = client.create_flow_run(nothing, state=Scheduled()).id
    return made


def parent(run: UUID, looked: Event) -> MethodOutcome:
    """Wait for one child, from how it stands now on."""
    with get_client(sync_client=True) as own:
        child = Awaited("iqr", RESTARTS)
        looked.set()
        return await_ends(own, {run: child})["iqr"]


@contextmanager
def waiting(client: SyncPrefectClient, run: UUID) -> Iterator[Future[MethodOutcome]]:
    """A parent that has seen its child, and waits for it; it does not outlive the block."""
    looked = Event()
    with ThreadPoolExecutor(1) as threads:
        end = threads.submit(parent, run, looked)
        try:
            assert looked.wait(20)
            yield end
        finally:
            if not end.done():
                client.delete_flow_run(run)


def end_of(
    client: SyncPrefectClient, run: UUID, *starts: tuple[State, ...]
) -> tuple[MethodOutcome, int]:
    """Be the worker: whenever the run is to start, set the states that its process sets.

    Returns:
        What its parent learns of its end, and how many of the starts there were.
    """
    left = list(starts)
    with waiting(client, run) as end:
        deadline = time.monotonic() + 60
        while not end.done():
            assert time.monotonic() < deadline, "its parent waits without end"
            state = client.read_flow_run(run).state
            if state is not None and state.is_scheduled():
                for each in left.pop(0):
                    client.set_flow_run_state(run, each)
            time.sleep(0.02)
        return end.result(), len(starts) - len(left)


DONE: tuple[State, ...] = (Pending(), Running(), Completed())


@pytest.mark.parametrize(
    "lost",
    [
        NOT_BEGUN,
        (Pending(), Running(), Crashed(message="Process exited with status code: -9")),
        (Pending(), Running(), Crashed(message="no heartbeat for 90 s")),
        (Pending(), Crashed(name="Stuck", message="Pending for 900 s")),
    ],
    ids=lambda states: states[-1].message,
)
def test_a_child_whose_process_was_lost_is_started_again(
    client: SyncPrefectClient, run: UUID, lost: tuple[State, ...]
) -> None:
    end, made = end_of(client, run, lost, lost, DONE)
    assert (end.state, made) == ("completed", 3)


def test_one_that_is_always_lost_has_failed(client: SyncPrefectClient, run: UUID) -> None:
    end, made = end_of(client, run, *[NOT_BEGUN] * (RESTARTS + 2))
    assert (end.state, made) == ("failed", RESTARTS + 1)
    assert end.error == "all connection attempts failed"


@pytest.mark.parametrize(
    "states",
    [
        (Pending(), Running(), Failed(message="poisoned")),
        (Pending(), Cancelled(message="by a person")),
    ],
    ids=lambda states: states[-1].name,
)
def test_what_failed_or_was_cancelled_is_not_started_again(
    client: SyncPrefectClient, run: UUID, states: tuple[State, ...]
) -> None:
    end, made = end_of(client, run, states)
    assert (end.state, end.error, made) == ("failed", states[-1].message, 1)


def test_a_child_that_went_on_when_its_parent_was_retried_is_started_again_too(
    client: SyncPrefectClient, run: UUID
) -> None:
    client.set_flow_run_state(run, Pending())
    client.set_flow_run_state(run, Running())
    with waiting(client, run) as end:
        client.set_flow_run_state(run, Crashed(message="killed"))
        wait_until(lambda: is_scheduled(client, run))
        for state in DONE:
            client.set_flow_run_state(run, state)
        assert end.result(timeout=20).state == "completed"


def test_a_retry_of_a_person_counts_while_the_parent_waits_for_others(
    client: SyncPrefectClient, run: UUID
) -> None:
    other = client.create_flow_run(nothing, state=Scheduled()).id
    names = {run: Awaited("iqr", RESTARTS), other: Awaited("random", RESTARTS)}
    with ThreadPoolExecutor(1) as threads:
        ends_of_both = threads.submit(await_ends, client, names)
        failed: list[State] = [Pending(), Running(), Failed(message="poisoned")]
        for state in failed:
            client.set_flow_run_state(run, state)
        wait_until(lambda: names[run].outcome is not None)
        client.set_flow_run_state(run, Scheduled(name="AwaitingRetry"), force=True)
        wait_until(lambda: names[run].outcome is None)
        for state in DONE:
            client.set_flow_run_state(other, state)
        for state in DONE:
            client.set_flow_run_state(run, state)
        found = ends_of_both.result(timeout=20)
    assert {name: outcome.state for name, outcome in found.items()} == {
        "iqr": "completed",
        "random": "completed",
    }


def wait_until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_scheduled(client: SyncPrefectClient, run: UUID) -> bool:
    state = client.read_flow_run(run).state
    return state is not None and state.is_scheduled()


@pytest.mark.parametrize(
    ("states", "name"),
    [
        (("completed", "failed"), "CompletedWithFailures"),
        (("waiting", "failed"), "CompletedWithFailures"),
        (("failed", "failed"), "Failed"),
        (("waiting", "completed"), "AwaitingLabels"),
        (("completed", "completed"), "Completed"),
    ],
)
def test_a_campaign_completes_with_failures_only_if_something_did(
    states: tuple[Any, ...], name: str
) -> None:
    outcomes = {f"m{i}": MethodOutcome(state=state) for i, state in enumerate(states)}
    assert overall(outcomes).name == name


def test_who_watches_hears_how_a_child_stands(client: SyncPrefectClient, run: UUID) -> None:
    done: list[State] = [Pending(), Running(), Completed()]
    for state in done:
        client.set_flow_run_state(run, state)
    heard: list[Happening] = []
    with listening(heard.append):
        await_ends(client, {run: Awaited("iqr", RESTARTS)})
    assert [h.event for h in heard] == [Elsewhere("Completed"), MethodEnded("completed")]
    assert {h.place for h in heard} == {Place("iqr")}


def test_a_child_that_somebody_deleted_has_failed(client: SyncPrefectClient, run: UUID) -> None:
    client.delete_flow_run(run)
    ended = await_ends(client, {run: Awaited("iqr", RESTARTS)})
    assert ended["iqr"].state == "failed"
    assert ended["iqr"].error == "its flow run was deleted"
