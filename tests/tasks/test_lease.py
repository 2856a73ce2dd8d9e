"""One process at a time, also where processes, machines and networks die."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import psutil
import pytest

from backhaul.errors import StoreError
from backhaul.storage import holder as holders
from backhaul.storage import lease as leases
from backhaul.storage.conditional import swap
from backhaul.storage.holder import ABANDONED_S, EXPIRE_S, Holder
from backhaul.storage.lease import Lease, LeaseLostError, lease
from backhaul.storage.objects import exists_at, read_uri, replace

HOLDER = """
import sys
from backhaul.storage.lease import lease
from backhaul.storage.objects import exists_at, replace
root = sys.argv[1]
with lease(root, "key", lambda who, waited_s: waited_s or print("waits", flush=True)):
    known = exists_at(f"{root}/result")
    print("reads" if known else "computes", flush=True)
    sys.stdin.readline()
    if not known:
        replace(f"{root}/result", b"of the other")
"""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The root of a store, in a folder and on S3."""
    if request.param == "folder":
        return str(tmp_path)
    for name, value in request.getfixturevalue("object_store").environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://edge/leases/{tmp_path.name}"


@contextmanager
def other_process(root: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes the lease, and holds it until it is told a line."""
    command = [sys.executable, "-c", HOLDER, root]
    place = Path(__file__).resolve().parents[2]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=place, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hears(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def place_of(root: str) -> str:
    return f"{root}/.backhaul/leases/key.json"


def elsewhere(seconds_ago: float, **known: Any) -> Holder:
    """A holder on another machine."""
    renewed = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    there = {"host": "elsewhere", "machine": "another boot", "renewed": renewed}
    return Holder.me().model_copy(update={**there, **known})


def unexpected(holder: Holder, waited_s: float) -> None:
    raise AssertionError(f"waits for {holder}")


class Waits:
    """Notes for whom a lease is waited."""

    def __init__(self) -> None:
        self.holders: list[str] = []

    def __call__(self, holder: Holder, waited_s: float) -> None:
        if not waited_s:
            self.holders.append(str(holder))


def test_the_second_waits_and_takes_the_result(root: str) -> None:
    with other_process(root) as other:
        assert hears(other) == "computes"
        waited = Waits()

        def on_wait(holder: Holder, waited_s: float) -> None:
            waited(holder, waited_s)
            if not waited_s:
                tell(other)

        with lease(root, "key", on_wait):
            assert read_uri(f"{root}/result") == b"of the other"
        assert waited.holders == [f"process {other.pid} on {Holder.me().host}"]
        assert other.wait(10) == 0
    assert not exists_at(place_of(root))


def test_other_processes_wait_for_us(root: str) -> None:
    with lease(root, "key", unexpected) as held, other_process(root) as other:
        assert hears(other) == "waits"
        held.require()
        replace(f"{root}/result", b"ours")
        held.release()
        assert hears(other) == "reads"
        tell(other)
        assert other.wait(10) == 0
    assert read_uri(f"{root}/result") == b"ours"


def test_the_lease_of_a_killed_process_is_taken_over_at_once(root: str) -> None:
    with other_process(root) as other:
        assert hears(other) == "computes"
        other.kill()
        other.wait()
        started = time.monotonic()
        with lease(root, "key", unexpected) as held:
            held.require()
            assert time.monotonic() - started < 5
    assert not exists_at(place_of(root))


@pytest.mark.parametrize("clock_s", [-600, 0, 600])
def test_that_of_another_machine_is_taken_over_once_it_is_silent(
    root: str, clock_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other's clock says does not matter: the renewal that is missing does."""
    monkeypatch.setattr(holders, "EXPIRE_S", 1.5)
    theirs = elsewhere(clock_s)
    replace(place_of(root), theirs.encoded)
    renewed = theirs.renewed_now().encoded
    Timer(1.0, replace, (place_of(root), renewed)).start()
    waited = Waits()
    started = time.monotonic()
    with lease(root, "key", waited) as held:
        assert 2.5 < time.monotonic() - started < 30
        held.require()
    assert waited.holders == [f"process {theirs.pid} on elsewhere"]
    assert not exists_at(place_of(root))


def test_one_that_was_left_long_ago_is_taken_over_at_once(root: str) -> None:
    replace(place_of(root), elsewhere(ABANDONED_S + 10).encoded)
    with lease(root, "key", unexpected) as held:
        held.require()


def test_whoever_lost_it_is_told_and_leaves_the_others_alone(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.05)
    theirs = elsewhere(0).encoded
    with lease(root, "key", unexpected) as held:
        first = held._holder
        wait_for(lambda: held._holder.renewed > first.renewed)
        replace(place_of(root), theirs)
        wait_for(lambda: held._lost)
        with pytest.raises(LeaseLostError, match=r"key\.json: was not renewed for 120 s"):
            held.require()
    assert read_uri(place_of(root)) == theirs


def test_a_process_that_was_stopped_asks_before_it_writes(root: str) -> None:
    theirs = elsewhere(0).encoded
    with lease(root, "key", unexpected) as held:
        for taken_over in (False, True):
            late = held._holder.model_copy(
                update={"renewed": datetime.now(UTC) - timedelta(seconds=EXPIRE_S + 1)}
            )
            assert swap(place_of(root), held._holder.encoded, late.encoded)
            held._holder = late
            if not taken_over:
                held.require()
                assert held._holder.age_s < EXPIRE_S
            else:
                replace(place_of(root), theirs)
                with pytest.raises(LeaseLostError):
                    held.require()
    assert read_uri(place_of(root)) == theirs


def test_a_store_that_is_away_does_not_end_the_renewing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.02)
    failures = [StoreError("away"), OSError("stale"), StoreError("away")]

    def failing(uri: str, old: bytes, new: bytes) -> bool:
        if failures:
            raise failures.pop()
        return swap(uri, old, new)

    monkeypatch.setattr(leases, "swap", failing)
    with lease(str(tmp_path), "key", unexpected) as held:
        first = held._holder
        wait_for(lambda: held._holder != first)
        held.require()


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with lease(str(tmp_path), "key", unexpected):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_number_that_another_process_has_by_now_is_not_the_holder() -> None:
    me = Holder.me()
    assert not me.is_gone(silent_s=0)
    assert me.model_copy(update={"began": me.began - 60}).is_gone(silent_s=0)


def test_a_clock_that_is_set_makes_no_holder_look_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    me, now = Holder.me(), psutil.boot_time()
    began = psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: now + 600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: began(process) + 600)
    assert not me.is_gone(silent_s=0)


def test_numbers_of_processes_mean_nothing_on_another_machine() -> None:
    """Host names may be equal there: containers and machines made from one picture."""
    theirs = elsewhere(0, pid=2**22, host=Holder.me().host)
    assert not theirs.is_gone(silent_s=EXPIRE_S - 10)
    assert theirs.is_gone(silent_s=EXPIRE_S + 10)


def test_keys_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with lease(str(tmp_path), "a", unexpected), lease(str(tmp_path), "b", unexpected) as held:
        assert isinstance(held, Lease)


def wait_for(happened: Callable[[], bool], patience_s: float = 20) -> None:
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("holder", "seems"),
    [
        (Holder.me, True),
        (lambda: Holder.me().model_copy(update={"pid": 2**22 + 1}), False),
        (lambda: elsewhere(30), True),
        (lambda: elsewhere(-30), True),
        (lambda: elsewhere(EXPIRE_S + 30), False),
        (lambda: elsewhere(-EXPIRE_S - 30), False),
    ],
    ids=["here", "here, ended", "elsewhere", "clock before ours", "silent", "clock far off"],
)
def test_who_renewed_lately_seems_alive(holder: Callable[[], Holder], *, seems: bool) -> None:
    assert holder().seems_alive is seems
