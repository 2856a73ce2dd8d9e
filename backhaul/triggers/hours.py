"""What an hour plays, and what is left of it for the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from backhaul.campaign.records import Waiting
from backhaul.campaign.runrecords import WAITING
from backhaul.campaign.runstate import RunState, advance
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, Value, append, read_log
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_value
from backhaul.triggers.asking import decide
from backhaul.triggers.decisions import Decision, DecisionLog, Decisions
from backhaul.triggers.labelling import forget_lists
from backhaul.triggers.unplayed import Hourly, Unplayed, let_be_played


def begin_hour(run: Hourly, state: RunState, now: datetime) -> tuple[RunState, Decision | None]:
    """Let what may be played now be played, and return the run's state with that.

    Without triggers that is all that is full. With them it is what they let be played before,
    and what is full now if they fire, or a decision stands. Of an hour that is killed in
    between, the next one finds the decision and goes on.

    Args:
        run: The run, of which no other hour is played.
        state: Its state, with what has arrived taken in.
        now: The time, with its zone.

    Returns:
        The state, and what was decided; None without triggers.
    """
    decisions, trigger = Decisions(run.files), run.config.triggers
    decisions.set_aside_if_damaged()
    log = finish_hour(run, state, now)
    decision = log.standing if trigger is None else decide(run, trigger, now)
    if decision is not None and decision.stands and Unplayed(run, state, log).n_batches:
        _note(run, decision)
        first = let_be_played(state, log)
        forget_lists(run, range(first, state.formed))
        decisions.begin(state.formed, first)
    after = allowed(run, state, decisions.read()).triggered
    known = advance(run.files, lambda old: old.model_copy(update={"triggered": after}))
    return known, None if trigger is None else decision


def fire_if_full(run: Hourly, state: RunState, now: datetime) -> None:
    """Fire by hand where a batch is full: where none is, nothing is left for later.

    Args:
        run: The run.
        state: Its state, with what has arrived taken in.
        now: The time, with its zone.
    """
    decisions = Decisions(run.files)
    decisions.set_aside_if_damaged()
    if run.config.triggers is not None and Unplayed(run, state, decisions.read()).n_batches:
        decisions.fire("hourly --now", "what is full now", now.timestamp())


def allowed(run: Hourly, state: RunState, log: DecisionLog) -> RunState:
    """Return a state in which what triggers have let be played may be played, and no more."""
    triggered = None if run.config.triggers is None else let_be_played(state, log)
    return state.model_copy(update={"triggered": triggered})


def finish_hour(run: Hourly, state: RunState, now: datetime) -> DecisionLog:
    """Note which decisions all methods have played, and return all decisions."""
    played = min(state.played.get(label, 0) for label in run.labels)
    return Decisions(run.files).finish(played, now.timestamp())


def ready(run: Hourly, state: RunState) -> list[str]:
    """Return the methods that have something to play, and that wait for nobody.

    Those are left out whose images still wait for labels, or whose candidate for a person.

    Args:
        run: The run.
        state: Its state, see `allowed`.
    """
    labels = [label for label in run.labels if state.pending(label)]
    return [label for label in labels if not _waits(run, state, label)]


def _waits(run: Hourly, state: RunState, label: str) -> bool:
    number = state.pending(label).start
    listed = WAITING.read(run.files.waiting(f"{label}{number}"))
    if listed is not None and not _are_labelled(run, state, number, listed):
        return True
    publish = run.config.publish
    return publish is not None and publish.method == label and _awaits_approval(run)


def _are_labelled(run: Hourly, state: RunState, number: int, listed: Waiting) -> bool:
    """Return whether all images of a list have labels by now."""
    rows = read_value(pd.DataFrame, state.batches[number])
    asked = read_value(pd.DataFrame, listed.files)[["node", "name"]]
    images = rows.merge(asked, on=["node", "name"])
    return len(run.truth_of(images).labelled()) == len(images)


def _awaits_approval(run: Hourly) -> bool:
    history = history_of(read_log(RegistryFiles(run.files)))
    return history.candidate is not None and history.states[history.candidate] == "awaiting"


def _note(run: Hourly, decision: Decision) -> None:
    """Add a decision that fired to the log of the run's models, if it has any, once."""
    if run.config.publish is None:
        return
    values: dict[str, Value] = {"number": decision.number}
    for position, answer in enumerate(decision.answers):
        values[f"{position} {answer.kind}"] = (
            answer.found if answer.value is None else answer.value
        )

    def entry_for(entries: Sequence[Entry]) -> Entry | None:
        noted = (e.values.get("number") for e in entries if e.kind == "triggered")
        if decision.number in noted:
            return None
        return Entry(kind="triggered", by=decision.by, reason=decision.reason, values=values)

    append(RegistryFiles(run.files), entry_for)
