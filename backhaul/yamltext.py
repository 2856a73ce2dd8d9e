"""Read YAML of anybody's: whatever it holds, it takes little time, and errors are one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import yaml
from yaml.reader import ReaderError

from backhaul.errors import InputError

T = TypeVar("T")

MOST_BYTES = 2**19
"""Of a text; the parser takes some seconds for as much."""
MOST_DEPTH = 100
"""Of lists and mappings in one another."""
MOST_REPEATED = 100_000
"""Nodes that the aliases of a text may stand for, more than it has."""
_QUOTED = re.compile(r"(['\"])[^'\"<>\s]{2,}\1")  # an alias, a tag; no single character


def parse_yaml(text: str | bytes) -> Any:
    """Return the content of a YAML text, as `yaml.safe_load`.

    Raises:
        InputError: If it is not YAML, is too large or nested too deeply, has a date or number
            that cannot be one, or aliases that multiply without end.
    """
    return _parsed(text, lambda: yaml.load(text, _Loader))  # noqa: S506 - a safe loader


def parse_documents(text: str | bytes) -> list[Any]:
    """Return the content of each document of a YAML text, as `yaml.safe_load_all`.

    Raises:
        InputError: As `parse_yaml`.
    """
    return _parsed(text, lambda: list(yaml.load_all(text, _Loader)))


def _parsed(text: str | bytes, parse: Callable[[], T]) -> T:
    if len(text) > MOST_BYTES:
        raise InputError(f"has {len(text):,} bytes, expected at most {MOST_BYTES:,} of YAML")
    try:
        return parse()
    except InputError as error:
        raise InputError(f"not YAML: {error}") from None
    except Exception as error:  # whatever the parser raises
        raise InputError(f"not YAML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return what is wrong and in which line, without what the file says there."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "expected text" if isinstance(error, ReaderError) else type(error).__name__
    told = _QUOTED.sub("...", error.problem or "")
    mark = error.problem_mark
    return f"{told}, line {mark.line + 1}, column {mark.column + 1}"


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses aliases that multiply."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the root of the document, if all its aliases stand for few nodes.

        Raises:
            InputError: If they do not.
        """
        return _bounded(super().get_single_node())

    def get_node(self) -> yaml.Node | None:
        """Return the root of the next document, see `get_single_node`."""
        return _bounded(super().get_node())

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - the parser's
        """Begin a list or mapping in brackets.

        Raises:
            InputError: If it lies in too many others: the scanner takes time for each.
        """
        if self.flow_level >= MOST_DEPTH:
            raise InputError("nested too deeply")
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        """Begin an indented list or mapping, if the column is further in than the last.

        Raises:
            InputError: If it lies in too many others.
        """
        if len(self.indents) > MOST_DEPTH:
            raise InputError("nested too deeply")
        return bool(super().add_indent(column))

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node.

        Raises:
            InputError: If it is none, such as a date or number that cannot be one.
        """
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, InputError, RecursionError):
            raise
        except Exception:  # of Python's conversions
            kind = node.tag.rpartition(":")[2]
            where = f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
            raise InputError(f"no valid {kind}, {where}") from None


def _bounded(root: yaml.Node | None) -> yaml.Node | None:
    """Return the root of a document whose aliases stand for few nodes.

    Raises:
        InputError: If they stand for many.
    """
    known: dict[int, int] = {}
    if root is not None and _size(root, known) - len(known) > MOST_REPEATED:
        raise InputError("its aliases stand for too many values")
    return root


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes there are below a node, those of aliases as often as they stand."""
    if id(node) not in known:
        known[id(node)] = MOST_REPEATED + 1  # an alias within itself stands for no end
        parts = [node.value] if isinstance(node, yaml.ScalarNode) else list(node.value)
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        inner = [_size(part, known) for part in parts if isinstance(part, yaml.Node)]
        known[id(node)] = 1 + sum(inner)
    return known[id(node)]
