"""What a decision gives as its reason: the conditions on which it hangs."""

from __future__ import annotations

from typing import Any

import pytest

from backhaul.campaign.triggers import AllCondition, AnyCondition, HandCondition, Trigger
from backhaul.triggers.asking import ask
from backhaul.triggers.decisions import Answer
from tests.triggered import BATCH, NOON, Arriving


class Said(HandCondition):
    """A condition whose answer is known."""

    text: str
    holds: bool | None


def tree(shape: Any) -> Trigger:
    """Return a tree of conditions: texts are leaves, lists groups that begin with a kind."""
    if isinstance(shape, str):
        return Said(text=shape, holds={"y": True, "n": False, "u": None}[shape[0]])
    kind, *parts = shape
    group = AllCondition if kind == "all" else AnyCondition
    return group.model_construct(kind=kind, conditions=tuple(map(tree, parts)))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("y1", "y1"),
        ("n1", "n1"),
        (["all", "y1", "y2"], "y1; y2"),
        (["all", "y1", "n1", "u1"], "n1; u1"),
        (["any", "n1", "u1"], "n1; u1"),
        (["any", "n1", "y1", "y2"], "y1; y2"),
        (["all", ["any", "n1", "y1"], "n2"], "n2"),
        (["any", ["all", "y1", "n1"], "y2"], "y2"),
        (["all", ["any", "n1", "y1"], ["any", "u1", "y2"]], "y1; y2"),
        (["any", ["all", "y1", "n1"], ["all", "u1", "y2"]], "n1; u1"),
        (
            ["all", ["any", ["all", "y1", "n1"], "y2"], ["any", ["all", "y3", "u1"], "n2"]],
            "u1; n2",
        ),
    ],
)
def test_a_reason_names_what_decided(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch, shape: Any, reason: str
) -> None:
    def answer(said: Said, *_: Any) -> Answer:
        return Answer(kind="x", asked="a", found="f", text=said.text, holds=said.holds)

    monkeypatch.setattr("backhaul.triggers.asking.answer_of", answer)
    arriving.drop(BATCH)
    assert ask(tree(shape), arriving.unplayed, NOON).reason == reason
