"""Results of stages: plain data of a fixed set of types, stored as JSON.

Prefect's own decoders import and call what stored bytes name, its JSON decoder as well as
pickle. So a store holds none of Prefect's records: its envelope is made anew around our data
whenever a result is read, and Prefect hands the data back to our decoder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prefect.filesystems import WritableFileSystem
from prefect.serializers import Serializer
from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError

from backhaul.campaign.migration import converted
from backhaul.errors import InputError, MissingObjectError
from backhaul.layout import result_place
from backhaul.link.exchange import Carried
from backhaul.storage.addresses import absolute
from backhaul.storage.checksums import CHECKSUM, with_checksum, without_checksum
from backhaul.storage.damaged import set_aside
from backhaul.storage.objects import read_uri, replace
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.comparison import Comparison
from backhaul.values.results import (
    Arrangement,
    Cropped,
    Dataset,
    Drawn,
    ListedArrangement,
    Measured,
    NodeModel,
    Offered,
    Reevaluated,
    Sent,
    TrainingResult,
)
from backhaul.values.roots import Roots


class DamagedResultError(ValueError):
    """The stored result of a stage cannot be decoded; the stage is run again."""


@dataclass(frozen=True)
class Kind:
    """A type of stage results and how it is stored.

    Args:
        name: Its name in a store, which stays when a class is moved or renamed.
        type: What a stage returns.
        schema: Raised when the data of this type change in a way that older code cannot read;
            `backhaul.campaign.migration.STEPS` then says how earlier data are converted.
    """

    name: str
    type: Any
    schema: int = 1

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Pydantic's adapter, which converts results of this type to JSON and back."""
        return TypeAdapter(self.type)

    def encode(self, result: Any, root: str) -> bytes:
        """Return a result as JSON, with places relative to the root of its store."""
        data = self.adapter.dump_python(result, mode="json", context=_roots(root))
        record = {"type": self.name, "schema": self.schema, "data": data}
        return json.dumps(with_checksum(record), allow_nan=False).encode()

    def decode(self, content: bytes, root: str) -> Any:
        """Return the result encoded in `content`, for a store whose root is now `root`.

        Raises:
            DamagedResultError: If this is no result, or one of another type.
            InputError: If a newer version of Backhaul wrote it.
        """
        try:
            record = json.loads(content)
        except (ValueError, RecursionError):
            raise DamagedResultError("is no JSON") from None
        match record:
            case {"type": self.name, "schema": int(schema), "data": data, **rest} if (
                schema >= 1 and rest.keys() <= {CHECKSUM}
            ):
                if schema > self.schema:
                    raise InputError(
                        f"the result of a stage was written by a newer version of Backhaul "
                        f"({self.name} of schema {schema}, expected {self.schema} at most): "
                        "use that version, or another store"
                    )
            case _:
                raise DamagedResultError(f"expected data of type {self.name}")
        try:
            without_checksum(record)
            current = converted(self.name, schema, self.schema, data)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"{self.name}: is no data of schema {schema} ({error})"
            raise DamagedResultError(reason) from None
        try:
            return self.adapter.validate_python(current, context=_roots(root))
        except ValidationError as error:
            raise DamagedResultError(f"{self.name}: {error.errors()[0]['msg']}") from None


KINDS = {
    kind.name: kind
    for kind in (
        Kind("artifact", Artifact),
        Kind("artifacts", tuple[Artifact, ...]),
        Kind("checkpoints", tuple[Checkpoint, ...]),
        Kind("dataset", Dataset),
        Kind("arrangement", Arrangement),
        Kind("listed-arrangement", ListedArrangement),
        Kind("sent", Sent),
        Kind("training", TrainingResult),
        Kind("cropped", Cropped),
        Kind("measured", Measured),
        Kind("carried", Carried),
        Kind("offered", Offered),
        Kind("node-model", NodeModel),
        Kind("reevaluated", Reevaluated),
        Kind("drawn", Drawn),
        Kind("comparison", Comparison),
    )
}
"""All types of results, by name."""


def kind_of(returned: Any) -> Kind:
    """Return how results of this type are stored.

    Raises:
        TypeError: If there is no such kind of result.
    """
    for kind in KINDS.values():
        if kind.type == returned:
            return kind
    raise TypeError(f"{returned}: expected a type of tasks.results.KINDS")


def _roots(root: str) -> Roots:
    return Roots(store=absolute(root))


class ResultSerializer(Serializer):
    """Converts results to JSON and back, for Prefect.

    Args:
        kind: Name of the type of results.
        root: Root of the store.
    """

    type: str = Field("backhaul", frozen=True)
    kind: str
    root: str

    def dumps(self, obj: Any) -> bytes:
        """Return a result as JSON."""
        return KINDS[self.kind].encode(obj, self.root)

    def loads(self, blob: bytes) -> Any:
        """Return the result that is encoded as JSON."""
        return KINDS[self.kind].decode(blob, self.root)


class StoredResults(WritableFileSystem):
    """Prefect's storage block for stage results in a store; each call of a stage makes its own.

    Results that were read are kept in memory: Prefect reads a result several times, and the
    stage reads it before.

    Args:
        root: Root of the store.
        kind: Name of the type of results.
    """

    _block_type_slug = "backhaul-results"

    root: str
    kind: str
    _known: dict[str, bytes | None] = PrivateAttr(default_factory=dict)

    @property
    def serializer(self) -> ResultSerializer:
        """The serializer of these results."""
        return ResultSerializer(kind=self.kind, root=self.root)

    def result(self, key: str) -> Any:
        """Return the stored result of a stage by its cache key.

        Raises:
            MissingObjectError: If there is none.
            DamagedResultError: If what lies there is none.
            InputError: If a newer version of Backhaul wrote it.
        """
        try:
            return self.serializer.loads(self._read(key))
        except (DamagedResultError, InputError) as error:
            raise type(error)(f"{self._uri(key)}: {error}") from None

    def set_aside(self, key: str, error: DamagedResultError) -> None:
        """Set the damaged result of a stage aside, so that it is missing.

        Args:
            key: The stage's cache key.
            error: What is wrong with it.
        """
        uri = self._uri(key)
        set_aside(uri, str(error).removeprefix(f"{uri}: "))
        self._known[key] = None

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """Return a result in Prefect's record; `_sync` is part of Prefect's interface."""
        metadata = {"storage_key": path, "serializer": self.serializer.model_dump()}
        return json.dumps({"metadata": metadata, "result": self._read(path).decode()}).encode()

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> None:  # type: ignore[override]
        """Store the result that one of Prefect's records contains, in one atomic step.

        Args:
            path: Name of the result.
            content: Prefect's record.
            _sync: Part of Prefect's interface; not used.
        """
        data: str = json.loads(content)["result"]
        self._known[path] = data.encode()
        replace(self._uri(path), data.encode())

    def _read(self, path: str) -> bytes:
        if path not in self._known:
            try:
                self._known[path] = read_uri(self._uri(path))
            except MissingObjectError:
                self._known[path] = None
        content = self._known[path]
        if content is None:
            raise MissingObjectError(f"{self._uri(path)}: is not there")
        return content

    def _resolve_path(self, path: str) -> None:
        """Return None, since results have no base folder that Prefect could show."""

    def _uri(self, path: str) -> str:
        return result_place(absolute(self.root), path)
