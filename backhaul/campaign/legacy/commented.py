"""A campaign's config as text, with a comment behind each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from backhaul.campaign.config import CampaignConfig


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields, by dotted name, as a tree, its parts in the order of a campaign."""
    tree: dict[str, Any] = {}
    for dotted, value in fields.items():
        *parents, last = dotted.split(".")
        part = tree
        for parent in parents:
            part = part.setdefault(parent, {})
        part[last] = value
    return {key: tree[key] for key in CampaignConfig.model_fields if key in tree}


def inline(value: Any) -> str:
    """Return a value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).splitlines()[0]


def commented(
    tree: Mapping[str, Any], notes: Mapping[str, str], prefix: str = "", indent: str = ""
) -> Iterator[str]:
    """Yield the lines of the YAML of a tree.

    Args:
        tree: The fields, nested.
        notes: By dotted name, the comment behind a value, in one line.
        prefix: Dotted name of the part that the tree is, with a dot at its end.
        indent: Spaces before each line.
    """
    for key, value in tree.items():
        field = f"{prefix}{key}"
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from commented(value, notes, f"{field}.", f"{indent}  ")
            continue
        note = notes.get(field, "")
        yield f"{indent}{key}: {inline(value)}" + (f"  # {note}" if note else "")
