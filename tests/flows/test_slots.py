"""A run on a worker that would only wait gives its slot back, and a lost one leaves nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, get_client, get_run_logger, task
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.states import Cancelling, Completed, Crashed, Pending, Running, Scheduled

from backhaul.errors import InputError
from backhaul.storage import holder as holders
from backhaul.storage.holder import Holder
from backhaul.storage.lease import lease
from backhaul.storage.objects import replace
from flows import slots
from flows.leftovers import end_below
from flows.slots import OF_A_WORKER, impatient, wait_or_give_way
from tasks.stage import _on_wait

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from backhaul.storage.lease import lease
with lease(sys.argv[1], "key", lambda who, waited_s: None):
    print("holds", flush=True)
    sys.stdin.readline()
"""


@flow
def work(root: str) -> State[None]:
    """Do what only one process may do at a time."""
    with lease(root, "key", wait_or_give_way("the same work")):
        return Completed()


@contextmanager
def other_process(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease until it is told a line."""
    command = [sys.executable, "-c", HOLDER, str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def run(client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlowRun:
    """A run for which a worker has started this process."""
    made = client.create_flow_run(work, parameters={"root": str(tmp_path)}, state=Pending())
    monkeypatch.setenv(OF_A_WORKER, str(made.id))
    return made


def begin(client: SyncPrefectClient, run: FlowRun) -> None:
    """Do what the process of a worker does."""
    run_flow(work, client.read_flow_run(run.id), return_type="state")


def state_of(client: SyncPrefectClient, run: UUID) -> State:
    state = client.read_flow_run(run).state
    assert state is not None
    return state


def test_a_run_on_a_worker_looks_again_later(
    client: SyncPrefectClient, run: FlowRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "REST_S", 1.0)
    with other_process(tmp_path) as other, pytest.raises(Pause):
        begin(client, run)
    state = state_of(client, run.id)
    assert (state.type, state.name) == ("SCHEDULED", "AwaitingRetry")
    assert state.message == (
        f"waits for process {other.pid} on {Holder.me().host}, and gives its slot back; "
        "it looks again in 1 s"
    )
    later = state.state_details.scheduled_time
    assert later is not None
    assert later > datetime.now(UTC) - timedelta(seconds=30)
    time.sleep(1.1)
    client.set_flow_run_state(run.id, Pending())
    begin(client, run)
    assert state_of(client, run.id).name == "Completed"
    assert client.read_flow_run(run.id).run_count == 2


def test_one_that_waits_for_its_turn_can_be_cancelled(
    client: SyncPrefectClient, run: FlowRun, tmp_path: Path
) -> None:
    client.update_flow_run(run.id, infrastructure_pid="4711")  # as its worker does
    with other_process(tmp_path), pytest.raises(Pause):
        begin(client, run)
    client.set_flow_run_state(run.id, Cancelling(), force=True)  # as the button does
    assert state_of(client, run.id).name == "Cancelled"


def test_a_person_waits(run: FlowRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OF_A_WORKER)
    with other_process(tmp_path) as other:
        tell(other)
        assert work(str(tmp_path), return_state=True).name == "Completed"


def test_a_thread_beside_others_waits(run: FlowRun, tmp_path: Path) -> None:
    with other_process(tmp_path) as other, ThreadPoolExecutor(1) as threads:
        ended = threads.submit(work, str(tmp_path), return_state=True)
        time.sleep(1)
        tell(other)
        assert ended.result().name == "Completed"


def test_where_the_other_may_be_gone_a_run_stays_and_takes_over(
    client: SyncPrefectClient, run: FlowRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it looked again it would begin to count the seconds of silence anew."""
    monkeypatch.setattr(holders, "EXPIRE_S", 1.5)
    ago = datetime.now(UTC) - timedelta(seconds=5)
    there = {"host": "elsewhere", "machine": "another boot", "renewed": ago}
    lost = Holder.me().model_copy(update=there)
    replace(f"{tmp_path}/.backhaul/leases/key.json", lost.encoded)
    begin(client, run)
    assert state_of(client, run.id).name == "Completed"


def test_a_stage_of_another_is_waited_for_a_while(
    client: SyncPrefectClient, run: FlowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.set_flow_run_state(run.id, Running())
    alive = Holder.me()

    @flow
    def part_of_it() -> None:
        with impatient():
            assert _on_wait.get() is None  # it would send away the run around it

    @flow
    def impatiently() -> None:
        part_of_it()
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(run.id))
        with impatient():
            on_wait = _on_wait.get()
            assert on_wait is not None
            on_wait(alive, 0.0)
            on_wait(alive, slots.PATIENCE_S)
            assert state_of(client, run.id).name == "Running"
            on_wait(alive, slots.PATIENCE_S + 1)

    with pytest.raises(Pause):
        impatiently()
    assert state_of(client, run.id).name == "AwaitingRetry"


def test_what_a_lost_process_had_is_ended_and_what_runs_elsewhere_goes_on(
    client: SyncPrefectClient, run: FlowRun
) -> None:
    @task
    def stage() -> None:
        """Is never called."""

    def begun(parent: UUID, name: str) -> UUID:
        made = client.create_task_run(stage, parent, name, state=Running())
        return made.id

    client.set_flow_run_state(run.id, Running())
    stands_for, training = begun(run.id, "batch"), begun(run.id, "training")
    batch = client.create_flow_run(work, state=Running(), parent_task_run_id=stands_for)
    inner = begun(batch.id, "inference")
    end_below(client, run.id, Crashed(message="its process was lost"))
    assert state_of(client, run.id).name == "Running"
    assert state_of(client, batch.id).name == "Crashed"
    for each in (training, inner, stands_for):
        state = client.read_task_run(each).state
        assert state is not None
        assert state.name == "Crashed"


def test_of_a_deployment_the_run_and_what_stands_for_it_go_on(
    client: SyncPrefectClient, run: FlowRun
) -> None:
    @task
    def stage() -> None:
        """Stands for the run of a deployment."""

    flow_id = client.create_flow(work)
    schema = {"type": "object", "properties": {}}
    deployment = client.create_deployment(flow_id, "work", parameter_openapi_schema=schema)
    stands_for = client.create_task_run(stage, run.id, "child", state=Pending()).id
    child = client.create_flow_run_from_deployment(
        deployment, state=Scheduled(), parent_task_run_id=stands_for
    )
    end_below(client, run.id, Crashed())
    assert state_of(client, child.id).type == "SCHEDULED"
    state = client.read_task_run(stands_for).state
    assert state is not None
    assert not state.is_final()


def test_an_expected_error_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def stage() -> None:
        raise InputError("data.root: /nowhere: no such folder")

    @flow
    def failing() -> None:
        get_run_logger().info("begins")
        stage()

    failing(return_state=True)
    told = {each.name for each in caplog.records if "/nowhere" in each.getMessage()}
    assert told == {"prefect.task_runs", "prefect.flow_runs"}
    assert "Traceback" not in caplog.text
    assert not [each for each in caplog.records if each.exc_info or each.exc_text]


def test_an_unexpected_error_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    @flow
    def failing() -> None:
        raise RuntimeError("a mistake of ours")

    failing(return_state=True)
    assert [each for each in caplog.records if each.exc_info]
