"""An ingestion killed at any point: nothing is lost, and nothing is logged twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.inbox import ingestion as inbox_tasks
from backhaul.inbox import log as inboxlog
from backhaul.inbox.log import read_log
from backhaul.storage import moving
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import exists_at, read_uri, remove, replace
from tests.nodes import Store, fill, picture


class KilledError(BaseException):
    """A SIGKILL, as near as a test of one process comes."""


CHANGES = [
    (inboxlog, "replace"),
    (inboxlog, "create"),
    (inboxlog, "move"),
    (inboxlog, "remove"),
    (inbox_tasks, "move"),
    (inbox_tasks, "replace"),
]


def killed(after: int, when: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Let the process die at its `after`-th change; return whether it has come to that."""
    left = [after]

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0 and when == "before":
                raise KilledError
            result = function(*args)
            if left[0] <= 0:
                raise KilledError
            return result

        return call

    for module, name in CHANGES:
        monkeypatch.setattr(module, name, dying(getattr(module, name)))
    return lambda: left[0] <= 0


def outcome(store: Store) -> tuple[Any, ...]:
    log = store.log.drop(columns=["arrived", "uri"]).sort_values("image_id")
    files = {n: data for n, data in store.tree().items() if "/log/" not in n}
    return log.fillna("-").to_numpy().tolist(), files


@pytest.mark.parametrize("when", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_killed_at_any_change_it_comes_to_the_same(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_tasks, "ENTRY_IMAGES", 3)
    monkeypatch.setattr(inboxlog, "TRANSFERS", 1)  # one change after the other
    monkeypatch.setattr(inbox_tasks, "TRANSFERS", 1)
    undisturbed = Store((tmp_path / "undisturbed").as_posix())
    fill(undisturbed)
    for _ in range(2):
        undisturbed.ingest()
    expected = outcome(undisturbed)
    after, reached = 1, True
    while reached:
        store = Store((tmp_path / str(after)).as_posix())
        fill(store)
        with monkeypatch.context() as context:
            dead = killed(after, when, context)
            with contextlib.suppress(KilledError):
                store.ingest()
            reached = dead()
        for log_name in store.log["uri"]:
            assert exists_at(log_name)  # an entry never runs ahead of its images
        for _ in range(2):
            store.ingest()
        assert outcome(store) == expected, after
        after += 1
    assert after > 15


def test_an_ingestion_is_finished_by_the_next_in_a_bucket_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between copy and removal, the file is at both places."""
    fill(store)
    with monkeypatch.context() as context:
        name = "_rename" if is_local(store.root) else "_delete_s3"
        context.setattr(moving, name, _die)
        with pytest.raises(KilledError):
            store.ingest()
    assert len(store.log) == 0
    for _ in range(2):
        store.ingest()
    assert len(store.log) == 5
    assert store.tree("inbox/") == {}
    assert len([n for n in store.tree("ingested/images/") if n.endswith(".jpg")]) == 5


def _die(*_: Any) -> None:
    raise KilledError


KILLED_ON_THE_WAY = """
import os, signal, sys
from backhaul.inbox import ingestion as inbox, log as inboxlog
move = inboxlog.move
def moved_and_killed(source, target, folder):
    move(source, target, folder)
    os.kill(os.getpid(), signal.SIGKILL)
inboxlog.move = moved_and_killed
inbox.ingest(sys.argv[1], "inbox", ("car", "bus"))
"""


@pytest.mark.slow
def test_a_process_that_was_killed_does_not_hold_up_the_next(folder: Store) -> None:
    fill(folder)
    command = [sys.executable, "-c", KILLED_ON_THE_WAY, folder.root]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert len(folder.tree("ingested/images/")) > 0
    assert read_log(folder.root) == []
    assert folder.ingest().n_new == 5
    assert len(folder.log) == 5


def test_an_image_that_changes_meanwhile_is_taken_next_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.drop("cam/a.jpg", picture(1))
    store.drop("cam/b.jpg", picture(2))
    store.drop("cam/z.jpg", picture(1))  # a duplicate of what will not be there
    with monkeypatch.context() as context:

        def and_the_node_writes(uri: str, data: bytes) -> None:
            replace(uri, data)
            store.drop("cam/a.jpg", picture(3, size=(20, 20)))

        context.setattr(inboxlog, "replace", and_the_node_writes)
        done = store.ingest()
    assert (done.n_new, done.n_duplicates, done.n_waiting) == (1, 0, 2)
    assert store.names == ["cam/b.jpg"]
    assert store.ingest().n_new == 2
    assert store.names == ["cam/b.jpg", "cam/a.jpg", "cam/z.jpg"]
    assert [read_uri(uri) for uri in store.log["uri"][1:]] == [
        picture(3, size=(20, 20)),
        picture(1),
    ]


def test_an_image_that_goes_meanwhile_is_not_logged(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("cam/a.jpg", picture(1))

    def and_the_node_removes(uri: str, data: bytes) -> None:
        replace(uri, data)
        remove(f"{folder.root}/inbox/cam/a.jpg")

    monkeypatch.setattr(inboxlog, "replace", and_the_node_removes)
    assert folder.ingest().n_new == 0
    assert read_log(folder.root) == []
    assert folder.tree("ingested/pending") == {}
