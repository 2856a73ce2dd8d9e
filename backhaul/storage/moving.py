"""List files that other programs put into a store, and move them there without loss."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backhaul.errors import InputError, RefusedFileError, StoreError
from backhaul.storage.addresses import is_local
from backhaul.storage.conditional import body_of
from backhaul.storage.places import code_of, filesystem, of_one, patiently

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""What is said of a file that is no more, or whose folder became something else."""
_CHANGED = ("PreconditionFailed", "412")
LOG = logging.getLogger(__name__)


class Found(BaseModel):
    """A file at the time when it was listed.

    Args:
        uri: Where it is stored.
        size_bytes: Its length.
        stamp: Differs when its content does: its ETag, on a disk its number and the times of
            its last changes, of which one cannot be set back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    size_bytes: int = Field(ge=0, lt=2**63)
    stamp: str

    @property
    def version(self) -> str:
        """A text that differs between two contents of the same file."""
        return f"{self.size_bytes} {self.stamp}"


@patiently
def walk(uri: str) -> tuple[list[Found], list[str]]:
    """Return the files below a folder, in any order, and the folders that were left alone.

    Those are links, and folders that cannot be read: whoever writes there would move or read
    what lies elsewhere. Hidden folders are left out. There is nothing if there is no folder.
    """
    return _walk_local(uri) if is_local(uri) else (_walk_s3(uri), [])


@patiently
def read_found(found: Found, folder: str) -> bytes | None:
    """Return the content of a file as it was listed; None if it went or changed since.

    No more is read than was listed, and no link is followed.

    Args:
        found: The file.
        folder: What was listed, or a folder below that on the way to the file.

    Raises:
        RefusedFileError: If this file cannot be read.
        StoreError: If the store cannot be used.
    """
    return _read_local(found, folder) if is_local(found.uri) else _read_s3(found)


def move(source: Found, target: str, folder: str) -> bool:
    """Move a file to a target that is reserved for its content.

    It is safe to repeat after an interruption at any point. Nothing is overwritten, and
    `source` is removed only when its content is at `target` and `source` has not changed since
    it was listed. No link is followed, also where one takes a folder's place at this moment. A
    file that cannot be moved stays, with a line in the log.

    Args:
        source: The file.
        target: Where it goes.
        folder: What was listed, or a folder below that on the way to the file.

    Returns:
        Whether its content is at `target` now: it is not if `source` went or changed meanwhile,
        or stays.

    Raises:
        StoreError: If the store refuses all files, or is full.
    """
    try:
        if is_local(target):
            return _move_local(source, target, folder)
        return _move_s3(source, target)
    except RefusedFileError as error:
        LOG.warning("%s; it stays where it is", error)
        return False


def _walk_local(uri: str) -> tuple[list[Found], list[str]]:
    found: list[Found] = []
    alone: list[str] = []

    def unread(error: OSError) -> None:
        if error.errno not in _GONE:
            if error.filename == uri:
                raise error
            alone.append(str(error.filename))

    for place, folders, names in os.walk(uri, onerror=unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        try:
            alone += [f"{place}/{name}" for name in folders if Path(place, name).is_symlink()]
            found += [file for name in names if (file := _look_local(f"{place}/{name}"))]
        except PermissionError:  # it may be listed, and not be looked into
            alone.append(place)
            folders.clear()
    return found, alone


@contextmanager
def _opened(uri: str, folder: str) -> Iterator[int]:
    """Yield the folder of a file, opened without following a link on the way from `folder`."""
    *parts, _ = uri.removeprefix(f"{folder}/").split("/")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            inner = os.open(part, flags, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def _look_local(path: str, folder: int | None = None) -> Found | None:
    """Return a regular file; None if there is none. `folder` is that of the file, opened."""
    name = path if folder is None else path.rpartition("/")[2]
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None
    return _seen(path, status) if stat.S_ISREG(status.st_mode) else None


def _seen(path: str, status: os.stat_result) -> Found:
    stamp = f"{status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    return Found(uri=path, size_bytes=status.st_size, stamp=stamp)


def _read_local(found: Found, folder: str) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with _opened(found.uri, folder) as inner:
            handle = os.open(found.uri.rpartition("/")[2], flags, dir_fd=inner)
            with os.fdopen(handle, "rb") as file:
                if _seen(found.uri, os.fstat(handle)) != found:
                    return None
                data = file.read(found.size_bytes)
                return data if _seen(found.uri, os.fstat(handle)) == found else None
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise of_one(error, found.uri) from None


@patiently
def _move_local(source: Found, target: str, folder: str) -> bool:
    there = _look_local(target)
    name = source.uri.rpartition("/")[2]
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(source.uri, folder) as opened:
            if _look_local(source.uri, opened) != source:
                return there is not None
            if there is None:
                return _rename(name, opened, Path(target))
            _require_whole(there, source)
            os.unlink(name, dir_fd=opened)
            return True
    except OSError as error:
        if error.errno in _GONE:
            return there is not None
        ours = os.access(Path(target).parent, os.W_OK)
        raise (of_one(error, source.uri) if ours else error) from None


def _rename(name: str, folder: int, target: Path) -> bool:
    """Move a file, to another disk as well; return False if it became a link meanwhile."""
    try:
        os.rename(name, target, src_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return _copy_and_remove(name, folder, target)
    if target.is_symlink():
        target.unlink()
        return False
    return True


def _copy_and_remove(name: str, folder: int, target: Path) -> bool:
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False
    partial = target.with_name(f"{target.name}.partial")
    with os.fdopen(opened, "rb") as content, partial.open("wb") as copy:
        shutil.copyfileobj(content, copy)
    partial.replace(target)
    os.unlink(name, dir_fd=folder)
    return True


def _walk_s3(uri: str) -> list[Found]:
    fs, path = _s3(uri)
    return [
        Found(uri=f"s3://{key}", size_bytes=entry["size"], stamp=entry["ETag"])
        for key, entry in fs.find(path, detail=True).items()
        if key.startswith(f"{path}/") and entry["type"] == "file" and not key.endswith("/")
    ]


def _look_s3(uri: str) -> Found | None:
    try:
        head = _call(uri, "head_object")
    except FileNotFoundError:
        return None
    return Found(uri=uri, size_bytes=head["ContentLength"], stamp=head["ETag"])


@patiently
def _move_s3(source: Found, target: str) -> bool:
    if _look_s3(target) is None and not _copy_s3(source, target):
        return False
    there = _look_s3(target)
    if there is None:
        raise StoreError(f"{target}: is not there, though it was copied")
    _require_whole(there, source)
    _delete_s3(source)
    return True


def _copy_s3(source: Found, target: str) -> bool:
    bucket, _, key = source.uri.removeprefix("s3://").partition("/")
    place = {"Bucket": bucket, "Key": key}
    try:
        _call(target, "copy_object", CopySource=place, CopySourceIfMatch=source.stamp)
    except FileNotFoundError:
        return False
    except OSError as error:
        if code_of(error) in _CHANGED:
            return False
        raise of_one(error, source.uri) from error
    return True


def _read_s3(found: Found) -> bytes | None:
    fs, _ = _s3(found.uri)
    try:
        return body_of(fs, _call(found.uri, "get_object", IfMatch=found.stamp))
    except FileNotFoundError:
        return None
    except OSError as error:
        if code_of(error) in _CHANGED:
            return None
        raise of_one(error, found.uri) from error


def _delete_s3(source: Found) -> None:
    try:
        _call(source.uri, "delete_object", IfMatch=source.stamp)
    except FileNotFoundError:
        return
    except OSError as error:
        if code_of(error) not in _CHANGED:  # else the node put another there, for next time
            raise


def _require_whole(there: Found, source: Found) -> None:
    if there.size_bytes != source.size_bytes:
        raise RefusedFileError(
            f"{there.uri}: has {there.size_bytes} bytes, expected the {source.size_bytes} of "
            f"{source.uri}, whose content belongs there; look at both, and remove the wrong one"
        )


def _call(uri: str, method: str, **arguments: Any) -> Any:
    fs, path = _s3(uri)
    bucket, _, key = path.partition("/")
    return fs.call_s3(method, Bucket=bucket, Key=key, **arguments)


def _s3(uri: str) -> tuple[Any, str]:
    if not uri.startswith("s3://"):
        raise InputError(f"{uri}: expected a folder or an s3:// address as store")
    return filesystem(uri)
