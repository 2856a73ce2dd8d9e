"""Read and write artifacts on any fsspec filesystem: a folder by default, or s3://."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import pandas as pd
from pydantic import BaseModel

from backhaul.artifacts import Artifact
from backhaul.errors import MissingObjectError
from backhaul.parquet import from_parquet, to_parquet
from backhaul.types import Detections, FusedDetections, ImageSet, Selection, Splits

T = TypeVar("T", ImageSet, Splits, Detections, FusedDetections, Selection, pd.DataFrame)

INTERNAL = ".backhaul"
"""What lies below it in a store's root is ours; what a person looks for lies under runs/."""


class CorruptArtifactError(ValueError):
    """What lies at an artifact's place is not what was put there."""


def object_uri(root: str, sha256: str, suffix: str) -> str:
    """Return where the object of this digest lies under `root`."""
    return f"{absolute(root)}/{INTERNAL}/objects/{sha256[:2]}/{sha256}{suffix}"


def absolute(root: str) -> str:
    """Return `root` as it stays valid when the working directory changes."""
    return root.rstrip("/") if "://" in root else Path(root).resolve().as_posix()


def write_bytes(root: str, data: bytes, suffix: str) -> Artifact:
    """Store `data` under its digest, whole or not at all; writing it twice is harmless."""
    sha256 = hashlib.sha256(data).hexdigest()
    uri = object_uri(root, sha256, suffix)
    fs, path = fsspec.core.url_to_fs(uri, auto_mkdir=True)
    if not fs.exists(path):
        replace(uri, data)
    return Artifact(uri=uri, sha256=sha256)


def replace(uri: str, data: bytes) -> None:
    """Put `data` at `uri` in one step: a reader finds the old content or the new one."""
    fs, path = fsspec.core.url_to_fs(uri, auto_mkdir=True)
    if "file" not in fs.protocol:
        fs.pipe_file(path, data)  # object stores put whole objects
        return
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    fs.pipe_file(partial, data)
    fs.mv(partial, path)


def read_bytes(artifact: Artifact) -> bytes:
    """Return the bytes of an artifact.

    Raises:
        MissingObjectError: If nothing lies there.
        CorruptArtifactError: If the digest does not match.
    """
    try:
        with fsspec.open(artifact.uri, "rb") as file:
            data: bytes = file.read()
    except FileNotFoundError:
        raise MissingObjectError(f"{artifact.uri}: is gone from the store") from None
    if hashlib.sha256(data).hexdigest() != artifact.sha256:
        raise CorruptArtifactError(f"{artifact.uri}: content does not match its digest")
    return data


def write_value(root: str, value: Any) -> Artifact:
    """Store a value of `backhaul.types` or a data frame as Parquet."""
    return write_bytes(root, to_parquet(value), ".parquet")


def read_value(kind: type[T], artifact: Artifact) -> T:
    """Load a value that `write_value` stored.

    Raises:
        MissingObjectError: If nothing lies there.
        CorruptArtifactError: If the digest does not match.
    """
    return from_parquet(kind, read_bytes(artifact))


def write_checkpoint(root: str, path: Path, sha256: str) -> Artifact:
    """Store a checkpoint file under the digest of its content (see `Artifact`)."""
    uri = object_uri(root, sha256, ".pt")
    fs, target = fsspec.core.url_to_fs(uri, auto_mkdir=True)
    if not fs.exists(target):
        replace(uri, path.read_bytes())
    return Artifact(uri=uri, sha256=sha256)


def local_path(uri: str, folder: Path) -> Path:
    """Return a local file with the content of `uri`; a remote one is fetched into `folder`.

    Raises:
        MissingObjectError: If nothing lies there.
    """
    fs, path = fsspec.core.url_to_fs(uri)
    if not fs.exists(path):
        raise MissingObjectError(f"{uri}: is gone from the store")
    if "file" in fs.protocol:
        return Path(path)
    target = folder / Path(path).name
    if not target.exists():
        partial = target.with_suffix(".partial")
        fs.get_file(path, str(partial))
        shutil.move(partial, target)
    return target


def exists(artifact: Artifact) -> bool:
    """Return whether something lies where the artifact points to."""
    fs, path = fsspec.core.url_to_fs(artifact.uri)
    return bool(fs.exists(path))


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
