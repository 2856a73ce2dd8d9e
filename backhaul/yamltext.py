"""Read YAML of anybody's: whatever it holds, it takes little time, and errors are one line."""

from __future__ import annotations

from typing import Any

import yaml

from backhaul.errors import InputError

MOST_REPEATED = 100_000
"""Nodes that the aliases of a text may stand for, more than it has."""
_SHOWN = 300  # characters of a reason


def parse_yaml(text: str | bytes) -> Any:
    """Return the content of a YAML text, as `yaml.safe_load`.

    Raises:
        InputError: If it is not YAML, is nested too deeply, has a date or number that cannot be
            one, or aliases that multiply without end.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except Exception as error:  # whatever the parser raises: it converts dates and numbers, too
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"not YAML: {' '.join(reason.split())[:_SHOWN]}") from None


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses aliases that multiply."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the root of the document, if all its aliases stand for few nodes.

        Raises:
            InputError: If they do not.
        """
        root: yaml.Node | None = super().get_single_node()
        known: dict[int, int] = {}
        if root is not None and _size(root, known) - len(known) > MOST_REPEATED:
            raise InputError("its aliases stand for too many values")
        return root


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes there are below a node, those of aliases as often as they stand."""
    if id(node) not in known:
        known[id(node)] = MOST_REPEATED  # what an alias within itself stands for
        parts = [node.value] if isinstance(node, yaml.ScalarNode) else list(node.value)
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        inner = [_size(part, known) for part in parts if isinstance(part, yaml.Node)]
        known[id(node)] = 1 + sum(inner)
    return known[id(node)]
