"""A person accepts or rejects a version, by command and by function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from backhaul.cli.models import models
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.registry import decisions
from backhaul.registry.cards import Card, read_cards
from backhaul.registry.decisions import answer, ask, reject_superseded
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, append, read_log
from backhaul.registry.registering import register
from backhaul.registry.starting import start_of
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import write_bytes
from backhaul.values.checkpoints import Checkpoint
from tests.commands import called
from tests.versions import registered, unpacked_run


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    """A run whose first version is accepted, the second rejected, and the third awaiting."""
    run = unpacked_run(tmp_path)
    registered(run)
    return run


def states(run: RunFiles) -> dict[int, str]:
    return dict(history_of(read_log(RegistryFiles(run))).states)


@pytest.mark.parametrize(("word", "state"), [("approve", "accepted"), ("reject", "rejected")])
def test_a_command_decides_what_waits(run: RunFiles, word: str, state: str) -> None:
    said = called(models, word, f"{run.view.folder}@3", "--reason", "seen on\n50 frames")
    assert f"finished@3: {state} by " in said
    assert states(run)[3] == state
    entry = history_of(read_log(RegistryFiles(run))).decided[3]
    assert "\n" not in entry.reason
    assert entry.by
    again = called(
        models,
        word,
        f"{run.view.folder}@candidate".replace("candidate", "3"),
        "--reason",
        "once more",
    )
    assert "seen on" in again


def test_who_decides_otherwise_later_is_refused(run: RunFiles) -> None:
    called(models, "approve", f"{run.view.folder}@3", "--reason", "good")
    with pytest.raises(InputError, match=r"finished@3: was accepted by .* before: good"):
        called(models, "reject", f"{run.view.folder}@3", "--reason", "bad")


@pytest.mark.parametrize(
    ("version", "reason", "said"),
    [(3, " ", "reason: expected why"), (7, "good", "no such version; there are: 1, 2, 3")],
)
def test_a_wrong_answer_is_said(run: RunFiles, version: int, reason: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        answer(RegistryFiles(run), version, "approve", by="ann", reason=reason)


def candidate(files: RegistryFiles, batch: int, weights: str) -> Card:
    """Register what a round trained once more."""
    known = read_cards(files)[3]
    checkpoint = Checkpoint(
        epoch=9, artifact=write_bytes(files.run.root, weights.encode(), ".pt")
    )
    return register(files, known.model_copy(update={"batch": batch, "current": checkpoint}))


def test_what_is_not_judged_yet_cannot_be_answered(run: RunFiles) -> None:
    files = RegistryFiles(run)
    card = candidate(files, 2, "weights")
    with pytest.raises(InputError, match="is not judged yet"):
        answer(files, card.version, "approve", by="ann", reason="good")
    assert ask(files, card.version, by="gate", reason="gain").kind == "awaiting"
    ask(files, card.version, by="gate", reason="gain")
    answer(files, card.version, "approve", by="ann", reason="good")
    assert ask(files, card.version, by="gate", reason="gain").kind == "accepted"
    kinds = [entry.kind for entry in read_log(files) if entry.version == card.version]
    assert kinds == ["candidate", "awaiting", "accepted"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("canary", "is canary: .* `backhaul models rollback` takes it back"),
        ("published", "is published: .* `backhaul models rollback` takes it back"),
        ("rolled-back", "is rolled-back: .* `backhaul models publish` publishes it again"),
    ],
)
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_was_published_since_cannot_be_answered(
    run: RunFiles, kind: str, said: str, decision: Literal["approve", "reject"]
) -> None:
    files = RegistryFiles(run)
    answer(files, 3, "approve", by="ann", reason="good")
    append(files, lambda _: Entry(kind=kind, version=3))
    with pytest.raises(InputError, match=f"finished@3: {said}"):
        answer(files, 3, decision, by="ann", reason="good")


def test_a_user_without_a_name_may_decide(
    run: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    said = called(models, "approve", f"{run.view.folder}@3", "--reason", "good")
    assert "accepted by a person: good" in said


def test_what_a_person_approves_at_that_moment_is_not_superseded(
    run: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RegistryFiles(run)
    new = candidate(files, 1, "other labels")

    def and_a_person_approves(of: RegistryFiles) -> Mapping[int, Card]:
        answer(files, 3, "approve", by="ann", reason="good")
        return read_cards(of)

    monkeypatch.setattr(decisions, "read_cards", and_a_person_approves)
    reject_superseded(files, new)
    assert states(run)[3] == "accepted"


def test_what_a_round_trained_before_is_superseded(run: RunFiles) -> None:
    files = RegistryFiles(run)
    new = candidate(files, 1, "other labels")  # version 3 is of batch 1, and waits
    reject_superseded(files, new)
    assert states(run) == {1: "accepted", 2: "rejected", 3: "rejected", 4: "candidate"}
    entry = history_of(read_log(files)).decided[3]
    assert entry.reason == "the round was played again: finished@4"


def started(files: RegistryFiles, batch: int) -> int | None:
    card = start_of(files, "iqr", batch)
    return None if card is None else card.version


def test_a_round_starts_from_where_it_started_first(run: RunFiles) -> None:
    files = RegistryFiles(run)
    answer(files, 3, "approve", by="ann", reason="good")
    assert [started(files, batch) for batch in (0, 1, 2)] == [1, 1, 3]
    new = candidate(files, 0, "an earlier round has changed")
    ask(files, new.version, by="gate", reason="gain")
    answer(files, new.version, "approve", by="ann", reason="good")
    assert [started(files, batch) for batch in (0, 1, 2)] == [1, new.version, new.version]


def test_without_versions_there_is_no_start(tmp_path: Path) -> None:
    assert started(RegistryFiles(RunFiles(str(tmp_path), "new")), 0) is None
