"""A run of the committed store whose rounds are registered as versions of its model."""

from __future__ import annotations

import tarfile
from pathlib import Path

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import read_rounds
from backhaul.layout import RunFiles
from backhaul.registry.cards import Card, Measure, Rule
from backhaul.registry.decisions import decide
from backhaul.registry.log import Entry, append
from backhaul.registry.registering import register
from backhaul.registrylayout import RegistryFiles

STORE = Path(__file__).parent / "store" / "store-1.tar.xz"
RUN = "finished"


def unpacked_run(folder: Path) -> RunFiles:
    """Unpack the committed store into a folder, and return its campaign that is over."""
    with tarfile.open(STORE) as packed:
        packed.extractall(folder, filter="data")
    return RunFiles(str(folder / "store"), RUN)


def card_of(record: RoundRecord, parent: int | None) -> Card:
    """Return the card of a round, before it has a number."""
    gain = Measure(value=0.03, low=0.01, high=0.05, n=40)
    return Card(
        version=0,
        run=RUN,
        method=record.method,
        batch=record.batch,
        parent=parent,
        checkpoints=record.standing.checkpoints,
        current=record.standing.current,
        seen=record.standing.seen,
        images_sent=record.standing.images_sent,
        bytes_sent=record.standing.bytes_sent,
        config_digest="0123456789abcdef",
        evaluation=record.evaluation,
        measures={"mAP50": Measure(value=0.5 + 0.1 * (record.batch is not None))}
        | ({} if parent is None else {"gain": gain}),
        rules=(Rule(rule="gain", passed=parent is None, text="0.03, expected above 0.04"),),
    )


def registered(run: RunFiles) -> RegistryFiles:
    """Register three rounds: one is accepted, one rejected, and one waits for a person."""
    files = RegistryFiles(run)
    initial, *others = read_rounds(run)
    first = register(files, card_of(initial, None))
    decide(files, first.version, "accepted", by="initial", reason="the first model")
    second, third = (register(files, card_of(each, first.version)) for each in others[:2])
    why = "<b>gain</b> 0.010, expected above 0.020"
    decide(files, second.version, "rejected", by="gate", reason=why, values={"gain": 0.01})
    asks = Entry(kind="awaiting", version=third.version, by="gate", reason="approval: manual")
    append(files, lambda _: asks)
    return files
