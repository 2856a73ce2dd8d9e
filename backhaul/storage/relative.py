"""Places in tables: relative to the store or a data set as stored, absolute as read."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

STORE = "store:"
"""What a stored place in the store begins with, in place of the store's root."""

DATA = "data:"
"""What a stored place in a data set outside the store begins with, before its digest."""

_DIGEST = r"[0-9a-f]{32}"

COLUMNS = ("uri", "file", "source")
"""Columns of tables that hold places."""


def with_relative_places(table: pa.Table, root: str, digests: Mapping[str, str]) -> pa.Table:
    """Return a table with places in the store and in data sets relative; others stay.

    Args:
        table: The table, with absolute places.
        root: Root of the store.
        digests: Data sets outside of it by their roots. Of two that lie in one another, the
            first that a place is below counts.
    """
    table = _with_prefix(table, f"{root}/", STORE)
    for place, digest in digests.items():
        table = _with_prefix(table, f"{place}/", f"{DATA}{digest}/")
    return table


def with_absolute_places(table: pa.Table, root: str, roots: Mapping[str, str]) -> pa.Table:
    """Return a stored table with its places as they are today.

    Args:
        table: The table as it is stored.
        root: Where the store lies.
        roots: Where the data sets lie that `data_sets_in` names, by digest.
    """
    table = _with_prefix(table, STORE, f"{root}/")
    for digest, place in roots.items():
        table = _with_prefix(table, f"{DATA}{digest}/", f"{place}/")
    return table


def data_sets_in(table: pa.Table) -> list[str]:
    """Return the digests of the data sets in which images of a stored table lie, sorted."""
    found: set[str] = set()
    for name in _columns_of_places(table):
        column = table[name]
        theirs = column.filter(pc.match_substring_regex(column, f"^{DATA}{_DIGEST}/"))
        digests = pc.utf8_slice_codeunits(theirs, len(DATA), len(DATA) + 32)
        found |= {*pc.unique(digests).to_pylist()}
    return sorted(found)


def places_in(table: pa.Table, root: str) -> list[str]:
    """Return the absolute places in the store that a stored table names, each once.

    Args:
        table: The table as it is stored.
        root: Where the store lies.
    """
    found: set[str] = set()
    for name in _columns_of_places(table):
        column = table[name]
        found |= {*pc.unique(column.filter(pc.starts_with(column, STORE))).to_pylist()}
    return sorted(f"{root}/{place.removeprefix(STORE)}" for place in found)


def _with_prefix(table: pa.Table, old: str, new: str) -> pa.Table:
    for name in _columns_of_places(table):
        place = table.schema.get_field_index(name)
        column = table.column(place)
        changed = pc.utf8_replace_slice(column, 0, len(old), new)
        column = pc.if_else(pc.starts_with(column, old), changed, column)
        table = table.set_column(place, table.schema.field(place), column)
    return table


def _columns_of_places(table: pa.Table) -> list[str]:
    places = ((name, table.schema.get_field_index(name)) for name in COLUMNS)
    return [n for n, at in places if at >= 0 and _is_text(table.schema.field(at).type)]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
