"""What a parent knows of its children on a real server, and which it starts again."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Scheduled

from backhaul.campaign.outcome import MethodOutcome
from backhaul.events import Elsewhere, Happening, MethodEnded, Place, listening
from flows import ends
from flows.ends import STARTS, Awaited, await_ends

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

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
        child = Awaited.of("iqr", own.read_flow_run(run))
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


def test_a_child_whose_process_could_not_begin_is_started_again(
    client: SyncPrefectClient, run: UUID
) -> None:
    done: tuple[State, ...] = (Pending(), Running(), Completed())
    end, made = end_of(client, run, NOT_BEGUN, NOT_BEGUN, done)
    assert (end.state, made) == ("completed", 3)


def test_one_that_can_never_begin_has_failed(client: SyncPrefectClient, run: UUID) -> None:
    end, made = end_of(client, run, *[NOT_BEGUN] * (STARTS + 1))
    assert (end.state, made) == ("failed", STARTS)
    assert end.error == "all connection attempts failed"


@pytest.mark.parametrize(
    "states",
    [
        (Pending(), Running(), Crashed(message="killed")),
        (Pending(), Running(), Failed(message="poisoned")),
        (Pending(), Cancelled(message="by a person")),
        (Pending(), Crashed(name="Stuck", message="Pending for 900 s")),
    ],
    ids=lambda states: states[-1].name,
)
def test_what_had_begun_or_was_ended_by_another_is_not_started_again(
    client: SyncPrefectClient, run: UUID, states: tuple[State, ...]
) -> None:
    end, made = end_of(client, run, states)
    assert (end.state, end.error, made) == ("failed", states[-1].message, 1)


def test_a_child_that_goes_on_already_has_begun(client: SyncPrefectClient, run: UUID) -> None:
    """Its parent was killed, and is retried."""
    client.set_flow_run_state(run, Pending())
    client.set_flow_run_state(run, Running())
    with waiting(client, run) as end:
        client.set_flow_run_state(run, Crashed(message="killed"))
        assert end.result(timeout=20).error == "killed"


def test_a_child_that_failed_before_is_started_again_where_it_cannot_begin(
    client: SyncPrefectClient, run: UUID
) -> None:
    """It was retried by a person, and its second process came while the server was away."""
    before: list[State] = [Pending(), Running(), Failed()]
    for state in before:
        client.set_flow_run_state(run, state)
    client.set_flow_run_state(run, Scheduled(), force=True)
    end, made = end_of(client, run, NOT_BEGUN, (Pending(), Running(), Completed()))
    assert (end.state, made) == ("completed", 2)


def test_who_watches_hears_how_a_child_stands(client: SyncPrefectClient, run: UUID) -> None:
    done: list[State] = [Pending(), Running(), Completed()]
    for state in done:
        client.set_flow_run_state(run, state)
    heard: list[Happening] = []
    with listening(heard.append):
        await_ends(client, {run: Awaited.of("iqr", client.read_flow_run(run))})
    assert [h.event for h in heard] == [Elsewhere("Completed"), MethodEnded("completed")]
    assert {h.place for h in heard} == {Place("iqr")}


def test_a_child_that_somebody_deleted_has_failed(client: SyncPrefectClient, run: UUID) -> None:
    client.delete_flow_run(run)
    ended = await_ends(client, {run: Awaited("iqr")})
    assert ended["iqr"].state == "failed"
    assert ended["iqr"].error == "its flow run was deleted"
