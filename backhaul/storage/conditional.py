"""Atomic writes of which only one of several writers succeeds, in a folder and on S3."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

from backhaul.errors import InputError, MissingObjectError
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import read_uri, refusal, replace
from backhaul.storage.places import code_of, filesystem, of_one, patiently
from backhaul.untrusted import MissingFileError, TooLargeError, read_bytes

_LOST = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


def create(uri: str, data: bytes) -> bool:
    """Write `data` to `uri` if nothing is there; return whether `data` is there now.

    Different writers must write different data: a request whose answer was lost is repeated,
    and the content that it then finds tells whose it is.
    """
    return _create_remote(uri, data) if not is_local(uri) else _create_local(uri, data)


def swap(uri: str, old: bytes, new: bytes) -> bool:
    """Replace the content `old` of `uri` by `new`; return False if it has another content.

    Args:
        uri: Where to write.
        old: The content that is expected there.
        new: The content to write.
    """
    return _swap_remote(uri, old, new) if not is_local(uri) else _swap_local(uri, old, new)


def read_or_none(uri: str) -> bytes | None:
    """Return the content of `uri`, or None if nothing is there."""
    try:
        return read_uri(uri)
    except MissingObjectError:
        return None


def read_bounded(uri: str, most_bytes: int) -> bytes | None:
    """Return the content of a file that anybody may have put there; None if there is none.

    Args:
        uri: Where it is.
        most_bytes: The most bytes that it may have.

    Raises:
        UnreadableFileError: If it is larger, or no regular file.
        RefusedFileError: If an S3 service refuses this file alone.
        StoreError: If the store cannot be used.
    """
    if not is_local(uri):
        return _read_bounded_remote(uri, most_bytes)
    try:
        return read_bytes(uri, most_bytes)
    except MissingFileError:
        return None


@patiently
def _read_bounded_remote(uri: str, most_bytes: int) -> bytes | None:
    fs, path = _s3(uri)
    bucket, _, key = path.partition("/")
    try:
        there = fs.call_s3("get_object", Bucket=bucket, Key=key)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise of_one(error, uri) from error
    if there["ContentLength"] > most_bytes:
        there["Body"].close()
        raise TooLargeError(uri, there["ContentLength"], most_bytes)
    return body_of(fs, there)


def _create_local(uri: str, data: bytes) -> bool:
    target = Path(uri)
    with _alone(target):
        if target.exists():
            return target.read_bytes() == data
        replace(uri, data)
        return True


def _swap_local(uri: str, old: bytes, new: bytes) -> bool:
    target = Path(uri)
    with _alone(target):
        if not target.exists() or target.read_bytes() != old:
            return False
        replace(uri, new)
        return True


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold a lock on `target` within the block; it is freed if the process is killed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(target.parent / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise refusal(error, target.parent) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _create_remote(uri: str, data: bytes) -> bool:
    return _put_if(uri, data, IfNoneMatch="*") or read_or_none(uri) == data


@patiently
def _swap_remote(uri: str, old: bytes, new: bytes) -> bool:
    fs, path = _s3(uri)
    bucket, _, key = path.partition("/")
    try:
        there = fs.call_s3("get_object", Bucket=bucket, Key=key)
        content = body_of(fs, there)
    except FileNotFoundError:
        return False
    if content != old:
        return content == new
    return _put_if(uri, new, IfMatch=there["ETag"]) or read_or_none(uri) == new


def body_of(fs: Any, answer: Any) -> bytes:
    """Return the content of an object from the answer to the request for it."""
    data: bytes = sync(fs.loop, answer["Body"].read)
    return data


@patiently
def _put_if(uri: str, data: bytes, **condition: str) -> bool:
    fs, path = _s3(uri)
    bucket, _, key = path.partition("/")
    try:
        fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
    except OSError as error:
        if code_of(error) in _LOST:
            return False
        raise
    return True


def _s3(uri: str) -> tuple[Any, str]:
    if not uri.startswith("s3://"):
        raise InputError(f"{uri}: expected a folder or an s3:// address as store")
    return filesystem(uri)
