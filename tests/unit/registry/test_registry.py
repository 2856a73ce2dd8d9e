"""Versions, decisions and aliases of a run's models."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.registry.cards import Card, read_card, read_cards
from backhaul.registry.decisions import decide
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, append, read_log
from backhaul.registry.registering import register
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.checksums import CHECKSUM
from backhaul.storage.objects import write_bytes
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint

WRITERS = 8


@pytest.fixture
def files(tmp_path: Path) -> RegistryFiles:
    return RegistryFiles(RunFiles(str(tmp_path), "cars"))


def stored(files: RegistryFiles, text: str) -> Artifact:
    return write_bytes(files.run.root, text.encode(), ".json")


def draft(files: RegistryFiles, batch: int | None, weights: str = "") -> Card:
    """Return the card of a round, with a checkpoint of its own."""
    checkpoint = Checkpoint(epoch=3, artifact=stored(files, weights or f"weights {batch}"))
    return Card(
        version=0,
        run="cars",
        method="init" if batch is None else "doubt",
        batch=batch,
        checkpoints=(checkpoint,),
        current=checkpoint,
        seen=stored(files, "splits"),
        evaluation=stored(files, "metrics"),
    )


def test_a_round_played_again_is_the_same_version(files: RegistryFiles) -> None:
    first = register(files, draft(files, None))
    second = register(files, draft(files, 0))
    assert (first.version, second.version) == (1, 2)
    assert register(files, draft(files, 0)) == second
    assert register(files, draft(files, 0, "other weights")).version == 3
    assert [entry.version for entry in read_log(files)] == [1, 2, 3]


def test_a_card_whose_entry_was_not_written_gets_it_later(files: RegistryFiles) -> None:
    card = register(files, draft(files, 0))
    Path(files.entry(1)).unlink()
    assert register(files, draft(files, 0)) == card
    assert [entry.kind for entry in read_log(files)] == ["candidate"]


def test_a_moved_store_has_its_cards(files: RegistryFiles, tmp_path: Path) -> None:
    card = register(files, draft(files, 0))
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    there = read_card(RegistryFiles(RunFiles(str(moved), "cars")), card.version)
    assert Path(there.current.artifact.uri).read_text() == "weights 0"


def test_the_first_decision_holds(files: RegistryFiles) -> None:
    register(files, draft(files, 0))
    first = decide(files, 1, "rejected", by="ann", reason="looks odd")
    assert decide(files, 1, "rejected", by="bob", reason="me too") == first
    with pytest.raises(InputError, match=r"cars@1: was rejected by ann before: looks odd"):
        decide(files, 1, "accepted", by="bob", reason="fine")
    with pytest.raises(InputError, match=r"cars@7: no such version; there are: 1"):
        decide(files, 7, "accepted", by="bob", reason="fine")


def test_of_many_who_decide_at_once_one_is_first(files: RegistryFiles) -> None:
    register(files, draft(files, 0))

    def vote(number: int) -> str:
        try:
            decide(files, 1, "accepted" if number % 2 else "rejected", by="x", reason="")
        except InputError:
            return "refused"
        return "decided"

    with ThreadPoolExecutor(WRITERS) as threads:
        said = list(threads.map(vote, range(WRITERS)))
    decisions = [e for e in read_log(files) if e.kind in ("accepted", "rejected")]
    assert len(decisions) == 1
    assert said.count("refused") == WRITERS / 2


def test_no_entry_is_lost_where_many_write(files: RegistryFiles) -> None:
    def write(number: int) -> None:
        append(files, lambda _: Entry(kind="triggered", reason=str(number)))

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, range(3 * WRITERS)))
    assert sorted(int(e.reason) for e in read_log(files)) == [*range(3 * WRITERS)]


def constant(entry: Entry) -> Callable[[Sequence[Entry]], Entry]:
    return lambda _: entry


def test_an_entry_that_was_removed_leaves_a_log_that_goes_on(files: RegistryFiles) -> None:
    for entry in [Entry(kind="triggered", reason=str(number)) for number in range(3)]:
        append(files, constant(entry))
    Path(files.entry(2)).unlink()
    after = append(files, constant(Entry(kind="triggered", reason="3")))
    assert [entry.reason for entry in after] == ["0", "2", "3"]
    assert Path(files.entry(4)).exists()


def test_a_card_of_a_later_version_with_more_fields_is_read(files: RegistryFiles) -> None:
    card = register(files, draft(files, 0))
    place = Path(files.card(1))
    stored = json.loads(place.read_text())
    later = {key: value for key, value in stored.items() if key != CHECKSUM}
    place.write_text(json.dumps({**later, "later": "field"}))
    assert read_cards(files) == {1: card}


def entries(*kinds: tuple[str, int]) -> list[Entry]:
    return [Entry(kind=kind, version=version) for kind, version in kinds]


def test_a_canary_that_fails_leaves_the_champion_before() -> None:
    log = entries(("candidate", 1), ("accepted", 1), ("candidate", 2), ("accepted", 2))
    assert history_of(log).champion == 2
    log += entries(("canary", 2))
    assert history_of(log).aliases == {"champion": 1, "canary": 2}
    assert history_of(log).basis == 2
    failed = history_of(log + entries(("rolled-back", 2)))
    assert failed.aliases == {"champion": 1}
    assert (failed.basis, failed.states[2]) == (1, "rolled-back")
    promoted = history_of(log + entries(("promoted", 2)))
    assert promoted.aliases == {"champion": 2}


def test_a_version_that_was_accepted_during_a_probation_comes_after_it() -> None:
    log = entries(("accepted", 1), ("accepted", 2), ("canary", 2), ("accepted", 3))
    assert history_of(log).aliases == {"champion": 3, "canary": 2}
    assert history_of(log).basis == 3
    promoted = history_of(log + entries(("promoted", 2)))
    assert promoted.champions == (1, 2, 3)
    assert promoted.states[3] == "accepted"
    failed = history_of(log + entries(("rolled-back", 2)))
    assert (failed.champions, failed.basis) == ((1, 3), 3)


def test_a_champion_taken_back_leaves_the_one_before() -> None:
    log = entries(("accepted", 1), ("accepted", 2), ("accepted", 3), ("rolled-back", 3))
    assert history_of(log).champion == 2
    assert history_of(log + entries(("published", 1))).champion == 1


def test_what_waits_is_the_candidate_until_it_is_decided() -> None:
    log = entries(("accepted", 1), ("candidate", 2), ("awaiting", 2))
    assert history_of(log).aliases == {"champion": 1, "candidate": 2}
    assert history_of(log + entries(("rejected", 2))).aliases == {"champion": 1}


KINDS = st.sampled_from(
    ["candidate", "accepted", "rejected", "awaiting", "canary", "promoted", "rolled-back", "x"]
)


@given(st.lists(st.tuples(KINDS, st.integers(1, 5)), max_size=40))
def test_aliases_are_versions_of_the_log_in_fitting_states(
    kinds: list[tuple[str, int]],
) -> None:
    history = history_of(entries(*kinds))
    assert set(history.aliases.values()) <= set(history.states)
    assert history.canary is None or history.states[history.canary] != "rolled-back"
    assert history.champion is None or history.states[history.champion] != "rolled-back"
    assert history.champion != history.canary or history.champion is None
