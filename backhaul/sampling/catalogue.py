"""The catalogue of sampling methods: what each sends, where it is from, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel

from backhaul.sampling import (
    HardExampleSampling,
    Method,
    SamplingMethod,
    UserSampling,
    UtilitySampling,
)
from backhaul.sampling.hardexamples import HardExampleFilter
from backhaul.sampling.utilities import UTILITIES
from backhaul.values.detections import NO_NEEDS, Need

COSTS: Mapping[Need, str] = {
    "disagreement": "scores",
    "validation": "validation images",
    "nearness": "copies of frames",
    "arrivals": "sidecars of nodes",
}
"""What is computed for a need, where that has another name."""
NOT_TOLD = {"kind", "label", "digest"}
COLUMNS = ("method", "sends", "needs", "cost", "source")
Row: TypeAlias = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A sampling method, as it is listed.

    Args:
        method: What to write under ``methods:`` to get it.
        sends: What it sends, in one sentence.
        source: Where it is from.
        needs: What it needs beside detections; None if its code says so.
        parameters: Its parameters, with their defaults.
    """

    method: str
    sends: str
    source: str
    needs: frozenset[Need] | None
    parameters: str

    @property
    def row(self) -> Row:
        """What it is in a table with `COLUMNS`."""
        if self.needs is None:
            return self.method, self.sends, "as its code says", "of its needs", self.source
        costs = sorted({COSTS.get(need, need) for need in self.needs})
        needs = ", ".join(sorted(self.needs)) or "-"
        return self.method, self.sends, needs, ", ".join(costs) or "detections", self.source


def entries() -> Iterator[Entry]:
    """Yield all methods: each kind, and in place of two kinds their utilities and filters."""
    union, *_ = get_args(Method)
    for kind in get_args(union):
        if kind is UtilitySampling:
            yield from _utilities()
        elif kind is HardExampleSampling:
            yield from _filters()
        else:
            yield Entry(_kind(kind), _sends(kind), kind.source, _needs(kind), _parameters(kind))


def markdown() -> str:
    """Return the catalogue as a table in Markdown, as the documentation has it."""
    rows = [COLUMNS, *(("---",) * len(COLUMNS),), *(entry.row for entry in entries())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _utilities() -> Iterator[Entry]:
    parameters = _parameters(UtilitySampling, {"utility"})
    for name, utility in UTILITIES.items():
        yield Entry(name, utility.prefers, utility.source, utility.needs, parameters)


def _filters() -> Iterator[Entry]:
    shared = _parameters(HardExampleSampling, {"filter"})
    union, *_ = get_args(HardExampleFilter)
    for each in get_args(union):
        name = f"{_kind(HardExampleSampling)}: {_kind(each)}"
        own = ", ".join(filter(None, [_parameters(each), shared]))
        yield Entry(name, _sends(each), each.source, each.needs, own)


def _kind(model: type[BaseModel]) -> str:
    return str(model.model_fields["kind"].default)


def _needs(kind: type[SamplingMethod]) -> frozenset[Need] | None:
    """Return what a kind needs with its default parameters; None if its code says so."""
    if kind is UserSampling:
        return None
    return kind.model_construct(kind=_kind(kind)).needs


def _sends(described: Any) -> str:
    return (described.__doc__ or "").strip().splitlines()[0]


def _parameters(model: type[BaseModel], without: frozenset[str] | set[str] = NO_NEEDS) -> str:
    return ", ".join(
        name if field.is_required() else f"{name}={field.default!r}"
        for name, field in model.model_fields.items()
        if name not in NOT_TOLD | without
    )
