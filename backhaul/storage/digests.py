"""Digest of a table's content that does not depend on how the table is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CLASS_NAMES = b"class_names"
"""The one entry of a table's metadata that is content."""
OUTLINES = "polygons"
"""A column that is no content: nothing is computed from outlines, and the digest of a data set
is that which versions gave it that dropped them."""


def table_digest(table: pa.Table) -> str:
    """Return the SHA-256 of names, types and values of a table's columns, and its class names.

    How values are encoded, in which order columns come and which version of pyarrow wrote them
    does not matter; integers and floats count by value, whatever their width. A column without
    any value says nothing, so that one may be added.
    """
    names = (table.schema.metadata or {}).get(CLASS_NAMES, b"").decode()
    digest = hashlib.sha256(json.dumps([table.num_rows, names]).encode())
    for name in sorted(set(table.column_names) - {OUTLINES}):
        column = table[name].combine_chunks()
        if column.null_count < len(column):
            for part in (name.encode(), *_parts(column)):
                digest.update(len(part).to_bytes(8, "little"))
                digest.update(part)
    return digest.hexdigest()


def _parts(array: Any) -> Iterator[bytes]:
    """Yield the kind, length, validity mask and values of an array."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = _kind(array.type)
    yield f"{kind} {len(array)}".encode()
    yield np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes()
    match kind:
        case "list":
            yield _integers(pc.list_value_length(array))
            yield from _parts(array.flatten())
        case "struct":
            for field in sorted(array.type, key=lambda each: each.name):
                yield field.name.encode()
                yield from _parts(pc.struct_field(array, field.name))
        case "bytes":
            yield from _bytes(array)
        case "float":
            yield _floats(array)
        case "int" | "bool" | "time":
            yield _integers(array)


def _kind(kind: Any) -> str:
    types = pa.types
    kinds = {
        "list": types.is_list(kind) or types.is_large_list(kind),
        "struct": types.is_struct(kind),
        "bytes": types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind),
        "float": types.is_floating(kind),
        "int": types.is_integer(kind),
        "bool": types.is_boolean(kind),
        "time": types.is_timestamp(kind),
        "nothing": types.is_null(kind),
    }
    for name, holds in kinds.items():
        if holds:
            return name
    raise TypeError(f"columns of type {kind} have no digest")


def _integers(array: Any) -> bytes:
    values = array.cast(pa.int8() if pa.types.is_boolean(array.type) else pa.int64())
    data: bytes = values.fill_null(0).to_numpy(zero_copy_only=False).astype("<i8").tobytes()
    return data


def _floats(array: Any) -> bytes:
    values = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    canonical = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, and no -0.0
    return canonical.astype("<f8").tobytes()


def _bytes(array: Any) -> Iterator[bytes]:
    binary = array.cast(pa.large_binary())
    filled = pa.concat_arrays([binary.fill_null(b"")])
    yield _integers(pc.binary_length(filled))
    _, offsets, data = filled.buffers()
    first, *_, last = np.frombuffer(offsets, "<i8")[filled.offset :][: len(filled) + 1]
    yield b"" if data is None else data.to_pybytes()[first:last]
