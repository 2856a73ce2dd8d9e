"""What nodes saw in their first windows with a model, with which later ones are compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.arrays import FloatArray
from backhaul.inbox.summary import TENTHS, Summary
from backhaul.measure.stability import stability_index
from backhaul.nodelayout import windows_reference
from backhaul.storage.conditional import read_or_none
from backhaul.storage.objects import replace

ENOUGH_OBJECTS = 500
"""Objects from which a reference is complete."""
MOST_WINDOWS = 24
"""Of a reference, with an object in each, also if less was seen in them."""
MOST_MODELS = 4
"""References of one node: those of its last models."""


class Reference(BaseModel):
    """What a node saw in its first windows with a model.

    Args:
        model: Version of the model.
        windows: Numbers of the windows.
        confidence: Objects, by tenths of their confidence.
        classes: Objects, by number of their class.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    windows: tuple[int, ...] = ()
    confidence: tuple[int, ...] = (0,) * TENTHS
    classes: dict[str, int] = {}

    @property
    def is_complete(self) -> bool:
        """Whether no window is added any more."""
        n_objects = sum(self.confidence)
        return n_objects >= ENOUGH_OBJECTS or (
            n_objects > 0 and len(self.windows) >= MOST_WINDOWS
        )

    def with_window(self, summary: Summary) -> Reference:
        """Return the reference with one more window, unless it has that, or enough.

        Windows without an object say nothing, as of a camera's first night.
        """
        known = self.is_complete or summary.number in self.windows
        if known or not sum(summary.confidence):
            return self
        return Reference(
            model=self.model,
            windows=(*self.windows, summary.number),
            confidence=_sum([self.confidence, summary.confidence]),
            classes=Counter(self.classes) + Counter(summary.classes),
        )


class _References(BaseModel):
    references: tuple[Reference, ...] = ()


def remember(root: str, summaries: Iterable[Summary]) -> None:
    """Add windows to the references of their nodes; to do so again changes nothing."""
    of_node: defaultdict[str, list[Summary]] = defaultdict(list)
    for summary in summaries:
        of_node[summary.node].append(summary)
    for node, told in of_node.items():
        before = references_of(root, node)
        after = dict(before)
        for summary in sorted(told, key=lambda each: each.number):
            known = after.get(summary.model, Reference(model=summary.model))
            after[summary.model] = known.with_window(summary)
        if after != before:
            kept = _References(references=tuple(after.values())[-MOST_MODELS:])
            replace(windows_reference(root, node), kept.model_dump_json().encode())


def references_of(root: str, node: str) -> dict[str, Reference]:
    """Return the references of a node by model; none where they are damaged."""
    data = read_or_none(windows_reference(root, node))
    try:
        known = _References() if data is None else _References.model_validate_json(data)
    except ValidationError:  # then they are made of the windows from now on
        known = _References()
    return {each.model: each for each in known.references}


def drift(summaries: Sequence[Summary], reference: Reference | None) -> tuple[float, float]:
    """Return how far what is seen has moved: stability indices of confidences and of classes.

    Args:
        summaries: Windows of one node and model; those of the reference are left out.
        reference: What the node saw at first with that model; None = that is not known.

    Returns:
        See `stability_index`; NaN where there is nothing to compare.
    """
    if reference is None:
        return float("nan"), float("nan")
    later = [each for each in summaries if each.number not in reference.windows]
    confidence = _sum(each.confidence for each in later)
    classes = sum((Counter(each.classes) for each in later), Counter[str]())
    names = sorted({*classes, *reference.classes})
    return (
        stability_index(confidence, reference.confidence),
        stability_index(_of(classes, names), _of(reference.classes, names)),
    )


def _sum(histograms: Iterable[Sequence[int]]) -> tuple[int, ...]:
    every = [*histograms]
    return tuple(map(sum, zip(*every, strict=True))) if every else (0,) * TENTHS


def _of(classes: dict[str, int], names: Sequence[str]) -> FloatArray:
    return np.array([classes.get(name, 0) for name in names], dtype=np.float64)
