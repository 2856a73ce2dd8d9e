"""References of runs, results and tables of a store: objects by name, results by key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.setting import Beginning
from backhaul.layout import CHECKPOINT
from backhaul.registry.cards import read_cards
from backhaul.registry.exports import EXPORTED
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored
from backhaul.storage.objects import artifacts_in, read_uri

PLACES = ("uri", "file", "source")
"""Columns of tables that hold places: of images, of benchmarks and crops, and of what crops are
cut out of."""


@dataclass(frozen=True)
class References:
    """Names of objects, and keys of results, that something refers to."""

    objects: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()

    def without_checkpoints(self, but: frozenset[str] = frozenset()) -> References:
        """Return the references without checkpoints, except those in `but`."""
        left = (name for name in self.objects if not name.endswith(CHECKPOINT) or name in but)
        return References(frozenset(left), self.results)


def references_of_run(run: RunRecords) -> References:
    """Return the references of a run's records, and of the cards and exports of its models.

    Raises:
        InputError: If one of them cannot be understood.
    """
    files = RegistryFiles(run.files)
    versions = (*read_cards(files).values(), *EXPORTED.read_all(files.exports).values())
    return union(map(_references_of_record, (*run.parts, *versions)))


def _references_of_record(record: BaseModel) -> References:
    objects = (name_in(artifact.uri) for artifact in artifacts_in(record))
    used = record.timings if isinstance(record, RoundRecord | Beginning) else ()
    return References(frozenset(objects), frozenset(timing.key for timing in used))


def references_of_result(file: Stored) -> References:
    """Return the references of a stage's result; none of a damaged one, which is run again."""
    return References(frozenset(map(name_in, _uris(_parsed(read_uri(file.uri))))))


def references_of_state(file: Stored) -> References:
    """Return the references of the saved state of an unfinished training."""
    return references_of_result(file)


def references_of_table(file: Stored) -> References:
    """Return the references in those columns of a table that contain addresses."""
    table = pq.ParquetFile(BytesIO(read_uri(file.uri)))
    names = [name for name in PLACES if name in table.schema_arrow.names]
    columns = table.read(columns=names).columns
    places = (place for column in columns for place in pc.unique(column).to_pylist())
    return References(frozenset(name_in(place) for place in places if place))


def of_each(
    files: Iterable[Stored], references_of: Callable[[Stored], References]
) -> Iterator[References]:
    """Yield the references of each file, in order; runs in parallel, as stores are slow."""
    with ThreadPoolExecutor(TRANSFERS) as threads:
        yield from threads.map(references_of, files)


def union(references: Iterable[References]) -> References:
    """Return the union of all references."""
    every = tuple(references)
    return References(
        frozenset().union(*(each.objects for each in every)),
        frozenset().union(*(each.results for each in every)),
    )


def name_in(place: str) -> str:
    """Return the object name or result key at an address."""
    return place.rpartition("/")[2]


def _uris(value: Any) -> Iterator[str]:
    """Yield the places of all artifacts in the result of a stage; Prefect nests it as text."""
    match value:
        case {"uri": str(uri), "sha256": str()}:
            yield uri
        case dict():
            for item in value.values():
                yield from _uris(item)
        case list():
            for item in value:
                yield from _uris(item)
        case str() if value[:1] in ("{", "["):
            yield from _uris(_parsed(value))


def _parsed(text: str | bytes) -> Any:
    """Return what JSON says; None where it is none, or nested too deeply."""
    try:
        return json.loads(text)
    except Exception:  # whatever the parser raises
        return None
