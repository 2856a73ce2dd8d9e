"""Read and write the records of a run as JSON.

In a record, places within the store are relative (``objects/ab/...``), so that the store may be
moved. They are made absolute where a record is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from backhaul.campaign.migration import SCHEMA, up_to_date
from backhaul.errors import DamagedRecordError, InputError
from backhaul.layout import root_of
from backhaul.storage.checksums import CHECKSUM, with_checksum, without_checksum
from backhaul.storage.conditional import read_or_none
from backhaul.storage.damaged import set_aside
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import Stored, files_in
from backhaul.storage.objects import replace
from backhaul.untrusted import one_line, understanding
from backhaul.values.roots import Roots

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class RecordType(Generic[M]):
    """A type of record.

    Args:
        name: Its name, in migrations and errors.
        model: Its definition.
        schema: Number of that definition: raise it when an older record cannot be read by it,
            and add the step to `backhaul.campaign.migration`.
    """

    name: str
    model: type[M]
    schema: int = 1

    def encode(self, record: M, root: str) -> bytes:
        """Return the bytes of a record in the store at `root`."""
        body = json.loads(record.model_dump_json(context=Roots(store=root)))
        return json.dumps(with_checksum({SCHEMA: self.schema, **body}), indent=1).encode()

    def decode(self, data: bytes, place: str) -> M:
        """Return the record in `data`, which was read from `place`.

        Raises:
            DamagedRecordError: If it was changed or cut off since it was written.
            InputError: If it is none of this type, or of a newer version.
        """
        try:
            roots = Roots(store=root_of(place))
            with understanding(place):
                self.require_unchanged(data, place)
                return self.model.model_validate(self.fields(data, place), context=roots)
        except ValidationError as error:
            first = error.errors()[0]
            key, reason = one_line(".".join(map(str, first["loc"]))), one_line(first["msg"])
            kind = InputError if CHECKSUM in json.loads(data) else DamagedRecordError
            raise kind(f"{place}: {key}: {reason}; expected a {self.name}") from None

    def fields(self, data: bytes, place: str) -> dict[str, Any]:
        """Return the JSON fields of the record in `data`, which was read from `place`.

        Raises:
            DamagedRecordError: If it is no JSON object.
            InputError: If it is of a newer version.
        """
        try:
            record = json.loads(data)
        except Exception as error:  # whatever the parser raises
            reason = one_line(str(error))
            raise DamagedRecordError(f"{place}: {reason}; expected a {self.name}") from None
        if not isinstance(record, dict):
            found = type(record).__name__
            raise DamagedRecordError(f"{place}: expected a {self.name}, got {found}")
        record.pop(CHECKSUM, None)
        with understanding(place):
            return up_to_date(self.name, self.schema, record, place)

    def require_unchanged(self, data: bytes, place: str) -> None:
        """Do nothing if the record in `data` is as it was written, as far as it can be told.

        Raises:
            DamagedRecordError: If it was changed or cut off since.
            InputError: If it is of a newer version.
        """
        self.fields(data, place)
        try:
            without_checksum(json.loads(data))
        except DamagedRecordError as error:
            raise DamagedRecordError(f"{place}: {error}; expected a {self.name}") from None

    def read(self, place: str) -> M | None:
        """Return the record at a place; None if there is none."""
        data = read_or_none(place)
        return None if data is None else self.decode(data, place)

    def set_aside_if_damaged(self, place: str) -> None:
        """Set the record at a place aside if it is damaged, so that it counts as missing.

        Raises:
            InputError: If it is of a newer version.
        """
        try:
            self.read(place)
        except DamagedRecordError as error:
            set_aside(place, str(error).removeprefix(f"{place}: "))

    def write(self, place: str, record: M) -> None:
        """Write a record atomically."""
        replace(place, self.encode(record, root_of(place)))

    def read_all(self, folder: str) -> dict[str, M]:
        """Return the records in a folder by the stems of their file names, sorted."""
        return read_each(folder, lambda stored: self.read(stored.uri))


def read_each(folder: str, read: Callable[[Stored], M | None]) -> dict[str, M]:
    """Return what is read of each record in a folder, by the stems of their names, sorted.

    Args:
        folder: Where they lie.
        read: Reads one, side by side with others; None = it is gone.
    """
    files = [each for each in files_in(folder) if each.uri.endswith(".json")]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        found = list(threads.map(read, files))
    stems = (each.uri.rpartition("/")[2].removesuffix(".json") for each in files)
    return {s: each for s, each in zip(stems, found, strict=True) if each is not None}
