"""What files of a store refer to: objects and results, by their names.

An object's name is its digest, and a result's its key, so both can be told in any text. Names
hold wherever a store is moved to, and in records that an earlier version wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import CHECKPOINT, Stored, read_uri

TABLE = ".parquet"
_OBJECT = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}\.\w+")
_RESULT = re.compile(r"[\w-]+-v\d+-[0-9a-f]{32}(?![0-9a-f])")


@dataclass(frozen=True)
class References:
    """Names of objects, and of results, that something refers to."""

    objects: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()

    def without_checkpoints(self, but: frozenset[str] = frozenset()) -> References:
        """Return what is left without checkpoints, those in `but` excepted."""
        left = (name for name in self.objects if not name.endswith(CHECKPOINT) or name in but)
        return References(frozenset(left), self.results)


def references_of(file: Stored) -> References:
    """Return what a file refers to: a table in its columns of text, any other in its text."""
    data = read_uri(file.uri)
    text = "\n".join(_texts(data)) if file.uri.endswith(TABLE) else data.decode("utf-8")
    return References(frozenset(_OBJECT.findall(text)), frozenset(_RESULT.findall(text)))


def references_of_each(files: Iterable[Stored]) -> Iterator[References]:
    """Yield what each file refers to, in order."""
    with ThreadPoolExecutor(TRANSFERS) as threads:
        yield from threads.map(references_of, files)


def union(references: Iterable[References]) -> References:
    """Return all that is referred to."""
    every = tuple(references)
    return References(
        frozenset().union(*(each.objects for each in every)),
        frozenset().union(*(each.results for each in every)),
    )


def _texts(data: bytes) -> Iterator[str]:
    file = pq.ParquetFile(BytesIO(data))
    columns = [field.name for field in file.schema_arrow if _is_text(field.type)]
    for column in file.read(columns=columns).columns:
        yield from (text for text in pc.unique(column).to_pylist() if text)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
