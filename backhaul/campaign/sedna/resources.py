"""Read the YAML that jobs and benchmarks are written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_bytes
from backhaul.yamltext import parse_documents

MOST_FIELDS = 10_000
"""Of a document, once its aliases stand for what they name."""
NAMES = ("name", "key")
"""What the items of a list are known by whose other field is ``value``, as of variables."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Args:
        file: The file.
        fields: The text of each value, by its keys joined with dots, as it was written but for
            quotes. An item of a list has its number for a key, and a pair of a name (or key)
            and a value is named so.
    """

    file: Path
    fields: Mapping[str, str]

    @property
    def kind(self) -> str:
        """What resource of Kubernetes it is; empty if it is none."""
        return self.fields.get("kind", "")

    @property
    def name(self) -> str:
        """Name of the resource; empty without."""
        return self.fields.get("metadata.name", "")

    def below(self, prefix: str) -> dict[str, str]:
        """Return the fields of a part, in order, by what follows its name and a dot."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.fields.items() if k.startswith(start)}


def read_documents(files: Sequence[Path]) -> tuple[Document, ...]:
    """Return all documents of files, in order; empty ones are left out.

    Raises:
        InputError: If a file cannot be read, is no YAML, or has too many values.
    """
    found: list[Document] = []
    for file in files:
        try:
            contents = parse_documents(read_bytes(file))
        except InputError as error:
            text = str(error)
            raise InputError(text if str(file) in text else f"{file}: {text}") from None
        found += [Document(file, _flat(each, file)) for each in contents if each is not None]
    return tuple(found)


def _flat(content: Any, file: Path) -> dict[str, str]:
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected keys and values, got {type(content).__name__}")
    fields: dict[str, str] = {}
    for key, text in _leaves(content, ""):
        fields[key] = text
        if len(fields) > MOST_FIELDS:
            raise InputError(f"{file}: has more than {MOST_FIELDS:,} values")
    return fields


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    items: Sequence[tuple[Any, Any]]
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [_item(place, each) for place, each in enumerate(value)]
    else:
        yield key, _text(value)
        return
    for name, part in items:
        yield from _leaves(part, f"{key}.{one_line(str(name))}".removeprefix("."))


def _item(place: int, item: Any) -> tuple[Any, Any]:
    if isinstance(item, dict) and "value" in item:
        for name in NAMES:
            if item.keys() == {name, "value"}:
                return item[name], item["value"]
    return place, item


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)
