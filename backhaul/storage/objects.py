"""Read and write artifacts in a folder, or on s3:// and other fsspec filesystems."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel

from backhaul.errors import CorruptArtifactError, InputError, MissingObjectError, StoreError
from backhaul.layout import (
    CHECKPOINT,
    data_root_place,
    digest_in_name,
    object_place,
    root_of,
)
from backhaul.storage.addresses import absolute, is_local
from backhaul.storage.damaged import set_aside
from backhaul.storage.dataroots import DataRoots, decode_root, encode_root
from backhaul.storage.digests import table_digest
from backhaul.storage.intact import is_intact, sha256_of
from backhaul.storage.parquet import TABLE, from_arrow, parquet_in, parquet_of, to_arrow
from backhaul.storage.places import filesystem, patiently
from backhaul.storage.relative import (
    data_sets_in,
    places_in,
    with_absolute_places,
    with_relative_places,
)
from backhaul.untrusted import (
    DanglingLinkError,
    MissingFileError,
    UnreadableFileError,
    open_file,
)
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import Detections, FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits

T = TypeVar("T", ImageSet, Splits, Detections, FusedDetections, Selection, pd.DataFrame)

_data_roots = DataRoots()

PART_BYTES = 16 * 2**20
"""Files of twice this size and more go up in parts, two at a time."""


def object_uri(root: str, sha256: str, suffix: str) -> str:
    """Return where the object with this digest is stored.

    Args:
        root: Root of the store.
        sha256: SHA-256 that names the object.
        suffix: End of the object's name, such as ``.parquet``.
    """
    return object_place(absolute(root), sha256, suffix)


def write_bytes(root: str, data: bytes, suffix: str, content: str = "") -> Artifact:
    """Store `data` under its digest, in one atomic step.

    Writing it twice is harmless. Versions of a library that write the same content in other
    bytes write two objects, and neither is in the other's way.

    Args:
        root: Root of the store.
        data: What to store.
        suffix: What the object's name ends in.
        content: Digest of what `data` says; empty = that of its bytes.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    artifact = Artifact(uri=object_uri(root, sha256, suffix), sha256=sha256, content=content)
    if not has(artifact):
        replace(artifact.uri, data)
    return artifact


@patiently
def replace(uri: str, data: bytes) -> None:
    """Write `data` to `uri` atomically: a reader gets the old content or the new one.

    Raises:
        StoreError: If the store refuses it, is full, or stays away.
    """
    fs, path = filesystem(uri)
    if not is_local(uri):
        fs.pipe_file(path, data)  # object stores put whole objects
        return
    target = Path(path)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise refusal(error, target.parent) from None


def refusal(error: OSError, folder: Path) -> Exception:
    """Return the error to raise where a folder of a store cannot be written."""
    if isinstance(error, FileExistsError):  # a file lies where the store has a folder
        return StoreError(f"{error.filename}: is a file, expected a folder of the store")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"{folder}: no space is left there; free some, and start again")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError(f"{folder}: {error.strerror}; expected a folder that can be written")
    return error


@patiently
def put_file(source: Path, uri: str) -> None:
    """Upload a file of this machine to `uri` atomically; a large one goes in parts."""
    fs, path = filesystem(uri)
    if uri.startswith("s3://"):
        fs.put_file(str(source), path, chunksize=PART_BYTES, max_concurrency=2)
    else:
        replace(uri, source.read_bytes())


@patiently
def get_file(uri: str, target: Path) -> None:
    """Copy the content of `uri` to a file of this machine.

    Raises:
        MissingObjectError: If nothing is stored there.
        OSError: If the disk is full.
    """
    fs, path = filesystem(uri)
    try:
        fs.get_file(path, str(target))
    except FileNotFoundError:
        raise MissingObjectError(f"{uri}: is gone from the store") from None


@patiently
def read_uri(uri: str) -> bytes:
    """Return the bytes stored at `uri`.

    Raises:
        MissingObjectError: If nothing is stored there.
    """
    if is_local(uri):
        return _read_local(uri)
    fs, path = filesystem(uri)
    try:
        data: bytes = fs.cat_file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise MissingObjectError(f"{uri}: is gone from the store") from None
    return data


def _read_local(path: str) -> bytes:
    try:
        with open_file(path, sys.maxsize) as file:
            return file.read()
    except (MissingFileError, DanglingLinkError):
        raise MissingObjectError(f"{path}: is gone from the store") from None
    except UnreadableFileError as error:
        raise StoreError(str(error)) from None


def read_bytes(artifact: Artifact) -> bytes:
    """Return the bytes of an artifact.

    Raises:
        MissingObjectError: If nothing is stored there.
        CorruptArtifactError: If the digest does not match.
    """
    data = read_uri(artifact.uri)
    if hashlib.sha256(data).hexdigest() != artifact.sha256:
        raise CorruptArtifactError(artifact.uri)
    return data


def write_value(root: str, value: Any) -> Artifact:
    """Store a value of `backhaul.values` or a data frame as Parquet.

    Places in the store become relative to its root, and those in data sets outside of it that
    were read from tables, or noted by `note_data_root`, relative to the roots of these.
    """
    store = absolute(root)
    table = with_relative_places(to_arrow(value), store, _data_roots.digests(store))
    return write_bytes(root, parquet_of(table), TABLE, table_digest(table))


def read_value(kind: type[T], artifact: Artifact) -> T:
    """Load a value that `write_value` stored; its places are where all lies today.

    Raises:
        MissingObjectError: If nothing is stored there.
        CorruptArtifactError: If the digest does not match.
        InputError: If the store does not say where a data set lies.
    """
    table = parquet_in(read_bytes(artifact))
    store = root_of(artifact.uri)
    roots = {digest: _data_root(store, digest) for digest in data_sets_in(table)}
    return from_arrow(kind, with_absolute_places(table, store, roots))


def note_data_root(root: str, digest: str, place: str) -> None:
    """Say in a store where a data set outside of it lies from now on.

    Args:
        root: Root of the store.
        digest: Digest of the data set.
        place: Absolute path of its folder, or its address.
    """
    store, content = absolute(root), encode_root(place)
    file = data_root_place(store, digest)
    if not exists_at(file) or read_uri(file) != content:
        replace(file, content)
    _data_roots.learn(store, digest, place)


def _data_root(store: str, digest: str) -> str:
    known = _data_roots.of(store, digest)
    if known is not None:
        return known
    file = data_root_place(store, digest)
    try:
        place = decode_root(read_uri(file), file)
    except MissingObjectError:
        raise InputError(
            f"{file}: is gone, so that nobody knows where the data set {digest} lies; start a "
            "campaign on that data set, which writes it again"
        ) from None
    _data_roots.learn(store, digest, place)
    return place


def write_checkpoint(root: str, path: Path, content: str) -> Artifact:
    """Store a checkpoint file.

    Args:
        root: Root of the store.
        path: The file.
        content: Digest of its tensors and architecture.
    """
    sha256 = sha256_of(path)
    uri = object_uri(root, sha256, CHECKPOINT)
    artifact = Artifact(uri=uri, sha256=sha256, content=content)
    if not has(artifact):
        put_file(path, artifact.uri)
    return artifact


def is_whole(artifact: Artifact) -> bool:
    """Return whether the object of an artifact is there, as it was written.

    In a bucket, whose content is checked whenever it is read, only whether it is there.
    """
    if not is_local(artifact.uri):
        return exists(artifact)
    return is_intact(artifact.uri, artifact.sha256)


def has(artifact: Artifact) -> bool:
    """Return what `is_whole` does; an object that is damaged is set aside."""
    whole = is_whole(artifact)
    if not whole and is_local(artifact.uri):  # in a bucket, it is not there
        set_damaged_aside(artifact.uri)
    return whole


def has_all_it_names(artifact: Artifact) -> bool:
    """Return what `has` does, and for a table whether the objects that it names are there.

    What is damaged is set aside.
    """
    if not has(artifact):
        return False
    if not artifact.uri.endswith(TABLE):
        return True
    try:
        table = parquet_in(read_bytes(artifact))
    except MissingObjectError:
        set_damaged_aside(artifact.uri)
        return False
    named = [uri for uri in places_in(table, root_of(artifact.uri)) if digest_in_name(uri)]
    for uri in named if is_local(artifact.uri) else ():
        set_damaged_aside(uri)
    return all(map(exists_at, named))


def set_damaged_aside(uri: str) -> None:
    """Set an object aside whose content is not what its name says; any other file stays.

    An object that is right stays as well, even where a record expects another content of it.
    """
    digest = digest_in_name(uri)
    if digest is not None and exists_at(uri) and not _has_content(uri, digest):
        set_aside(uri, "content does not match its digest")


def _has_content(uri: str, sha256: str) -> bool:
    """Return whether an object has the content of its name; all of it is read, mark or not."""
    if is_local(uri):
        return Path(uri).is_file() and sha256_of(Path(uri)) == sha256
    with tempfile.NamedTemporaryFile() as file:
        get_file(uri, Path(file.name))
        return sha256_of(Path(file.name)) == sha256


def exists(artifact: Artifact) -> bool:
    """Return whether the object of an artifact exists."""
    return exists_at(artifact.uri)


@patiently
def exists_at(uri: str) -> bool:
    """Return whether a file or object exists at `uri`."""
    if is_local(uri):
        return os.path.exists(uri)  # noqa: PTH110 - called for every artifact of every stage
    fs, path = filesystem(uri)
    return bool(fs.exists(path))


@patiently
def remove_files(uris: Sequence[str]) -> None:
    """Remove files of one store; files that do not exist are no error."""
    if not uris:
        return
    if is_local(uris[0]):
        for uri in uris:
            Path(uri).unlink(missing_ok=True)
        return
    fs, _ = filesystem(uris[0])
    fs.rm([filesystem(uri)[1] for uri in uris])


@patiently
def remove(uri: str) -> None:
    """Remove a file or a whole folder; it is no error if nothing is there."""
    fs, path = filesystem(uri)
    try:
        fs.rm(path, recursive=True)
    except FileNotFoundError:
        return


def artifacts_in(value: Any) -> Iterator[Artifact]:
    """Yield every artifact that a stage's result refers to."""
    match value:
        case Artifact():
            yield value
        case BaseModel():
            for _, item in value:
                yield from artifacts_in(item)
        case dict():
            for item in value.values():
                yield from artifacts_in(item)
        case list() | tuple():
            for item in value:
                yield from artifacts_in(item)
