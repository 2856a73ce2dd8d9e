"""What of a job or benchmark is taken over into a campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.legacy.commented import commented, inline, nested
from backhaul.campaign.legacy.row import Row
from backhaul.campaign.legacy.rules import number
from backhaul.errors import InputError
from backhaul.untrusted import one_line

Fate: TypeAlias = Literal["mapped", "changed", "refused", "missing"]
Verdict: TypeAlias = tuple[Fate, str, str]
"""What became of a setting, the field or place it has here, and what differs."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one setting.

    Args:
        row: How it was translated.
        fields: Fields of the campaign that it gives, by dotted name.
    """

    row: Row
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Translation:
    """A campaign made of settings of another tool.

    Args:
        yaml: Text of its config; behind each value stands where it came from.
        rows: What became of each setting.
        policy: Text of a file with the nodes' policy; empty without nodes.
    """

    yaml: str
    rows: tuple[Row, ...]
    policy: str = ""


def taken(key: str, value: str, fields: Mapping[str, Any], why: str = "") -> Taken:
    """Return a setting that gives fields; with `why`, they mean something else here."""
    here = ", ".join(f"{name} = {inline(each)}" for name, each in fields.items())
    return Taken(Row(key, one_line(value), "changed" if why else "mapped", here, why), fields)


def told(key: str, value: str, fate: Fate, here: str, why: str) -> Taken:
    """Return a setting that gives no field of the campaign, and what to do instead."""
    return Taken(Row(key, one_line(value), fate, here, why))


def read(key: str, text: str, reader: Callable[[str], Any], file: object) -> Any:
    """Return the value of a setting.

    Raises:
        InputError: If it is none, with the file and the key.
    """
    try:
        return reader(text)
    except (ValueError, InputError) as error:
        raise InputError(f"{file}: {key}: {error}") from None


def fraction(text: str) -> float:
    """Return a number between 0 and 1.

    Raises:
        ValueError: If it is none, or one of the ends.
    """
    value = number(text)
    if not 0 < value < 1:
        raise ValueError(f"expected a fraction above 0 and below 1, got {one_line(text)!r}")
    return value


def translation(
    given: Sequence[Taken], defaults: Mapping[str, Any], header: Iterable[str], file: Path
) -> Translation:
    """Return the campaign that settings give.

    Args:
        given: The settings.
        defaults: Fields that none of them may give.
        header: Lines of the comment above.
        file: Where the settings were written, for errors.

    Raises:
        InputError: If what they give is no campaign; one line a problem.
    """
    fields = dict(defaults)
    notes: dict[str, str] = {}
    for each in given:
        fields |= each.fields
        notes |= dict.fromkeys(each.fields, each.row.key)
    tree = nested(fields)
    try:
        CampaignConfig.model_validate(tree)
    except ValidationError as error:
        lines = dict.fromkeys(f"{file}: {_problem(each, notes)}" for each in error.errors())
        raise InputError("\n".join(lines)) from None
    above = [f"# {line}" for line in header]
    text = "\n".join([*above, *commented(tree, notes), ""])
    return Translation(text, tuple(each.row for each in given))


def _problem(error: Any, notes: Mapping[str, str]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    message = one_line(error["msg"].removeprefix("Value error, "))
    last = name.rpartition(".")[2]
    givers = [
        key
        for here, key in notes.items()
        if name.startswith(f"{here}.") or here.rpartition(".")[2] == last
    ]
    return f"{givers[0] if givers else name}: {message}"
