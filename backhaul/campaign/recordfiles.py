"""Read and write the records of a run as JSON.

In a record, places within the store are relative (``objects/ab/...``), so that the store may be
moved. They are made absolute where a record is read.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from backhaul.campaign.migration import SCHEMA, up_to_date
from backhaul.errors import InputError
from backhaul.layout import root_of
from backhaul.storage.conditional import read_or_none
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import names_in, replace
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
        return json.dumps({SCHEMA: self.schema, **body}, indent=1).encode()

    def decode(self, data: bytes, place: str) -> M:
        """Return the record in `data`, which was read from `place`.

        Raises:
            InputError: If it is none of this type, or of a newer version.
        """
        try:
            roots = Roots(store=root_of(place))
            with understanding(place):
                return self.model.model_validate(self.fields(data, place), context=roots)
        except ValidationError as error:
            first = error.errors()[0]
            key = one_line(".".join(map(str, first["loc"])))
            reason = one_line(first["msg"])
            raise InputError(f"{place}: {key}: {reason}; expected a {self.name}") from None

    def fields(self, data: bytes, place: str) -> dict[str, Any]:
        """Return the JSON fields of the record in `data`, which was read from `place`.

        Raises:
            InputError: If it is no JSON object, or of a newer version.
        """
        try:
            record = json.loads(data)
        except Exception as error:  # whatever the parser raises
            reason = one_line(str(error))
            raise InputError(f"{place}: {reason}; expected a {self.name}") from None
        if not isinstance(record, dict):
            raise InputError(f"{place}: expected a {self.name}, got {type(record).__name__}")
        with understanding(place):
            return up_to_date(self.name, self.schema, record, place)

    def read(self, place: str) -> M | None:
        """Return the record at a place; None if there is none."""
        data = read_or_none(place)
        return None if data is None else self.decode(data, place)

    def write(self, place: str, record: M) -> None:
        """Write a record atomically."""
        replace(place, self.encode(record, root_of(place)))

    def read_all(self, folder: str) -> dict[str, M]:
        """Return the records in a folder by the stems of their file names, sorted."""
        names = [name for name in names_in(folder) if name.endswith(".json")]
        with ThreadPoolExecutor(TRANSFERS) as threads:
            found = list(threads.map(lambda name: self.read(f"{folder}/{name}"), names))
        stems = (name.removesuffix(".json") for name in names)
        return {s: each for s, each in zip(stems, found, strict=True) if each is not None}
