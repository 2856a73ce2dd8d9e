"""What the classes of a data set ask for: warnings, and whether an image may be flipped."""

from __future__ import annotations

import re

from backhaul.campaign.proposal.facts import Facts
from backhaul.campaign.proposal.sets import TRAIN, Sets

FEW_OBJECTS = 20
"""Objects below which a detector hardly learns a class."""
_SIDED = re.compile(
    r"(?i)(?<![a-z])(?:(?:left|right|arrow|text|digit|letter|number|plate)s?|"
    r"zero|one|two|three|four|five|six|seven|eight|nine)(?![a-z])"
)
_SHOWN = 5


def class_warnings(facts: Facts, sets: Sets) -> tuple[str, ...]:
    """Return what is to be said of classes that are too rare.

    Args:
        facts: The data set.
        sets: How many images go where.
    """
    never = [each.name for each in facts.classes if not each.n_objects]
    few = [each for each in facts.classes if 0 < each.n_objects < FEW_OBJECTS]
    rare = [
        each.name
        for each in facts.classes
        if each.n_objects and each not in few and _expected(each.n_images, facts, sets) < 1
    ]
    counts = [f"{each.name} ({each.n_objects})" for each in few]
    told = [
        (never, "no object of {}: remove what is never labelled from the class list"),
        (counts, f"fewer than {FEW_OBJECTS} objects of {{}}: hardly anything is learned of it"),
        (rare, "images with {} are so rare that the initial training may see none"),
    ]
    return tuple(text.format(_listed(names)) for names, text in told if names)


def flip_for(names: tuple[str, ...]) -> tuple[str, str]:
    """Return how copies may be flipped, and why.

    Args:
        names: The classes.
    """
    signs = [name for name in names if len(name.strip()) == 1 or _SIDED.search(name)]
    if signs:
        return "none", f"a mirrored {_listed(signs[:1])} is another thing, or none"
    return "horizontal", "nothing in the names of the classes says that sides matter"


def _expected(n_images: int, facts: Facts, sets: Sets) -> float:
    return TRAIN * sets.initial * n_images / facts.n_labelled


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
