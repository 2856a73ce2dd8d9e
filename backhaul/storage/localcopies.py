"""Local copies of stored objects: a bounded cache, shared by all processes of a machine."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

from backhaul.errors import CorruptArtifactError, InputError, MissingObjectError, StoreError
from backhaul.layout import arrival_stem, digest_in_name, root_of
from backhaul.storage.addresses import is_local
from backhaul.storage.cachefolder import FOLDER, cache_folder
from backhaul.storage.intact import is_intact, sha256_of
from backhaul.storage.objects import get_file
from backhaul.values.artifacts import Artifact

BYTES = "BACKHAUL_CACHE_BYTES"
DEFAULT_BYTES = 20 * 2**30
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STEP = 20  # parts of the limit that go in between two looks at all copies


@dataclass
class LocalCopies:
    """A cache of stored objects by digest; the least recently used ones are removed first.

    Callers get a link in a folder of their own, which stays valid when the cache removes its
    copy.

    Args:
        folder: Where they lie.
        limit_bytes: Most bytes of all of them together.
    """

    folder: Path
    limit_bytes: int
    _room: int = field(default=0, init=False)
    _one: Lock = field(default_factory=Lock, init=False)

    def copy(self, uri: str, digest: str, target: Path) -> None:
        """Make `target` a copy of the object at `uri`.

        A copy that was damaged on this disk is fetched again.

        Args:
            uri: Where it is stored.
            digest: The beginning of the SHA-256 of its bytes.
            target: A file that is not there yet.

        Raises:
            MissingObjectError: If nothing is stored there.
            CorruptArtifactError: If the digest does not match.
            StoreError: If there is no room, even with all copies removed.
        """
        kept = self.folder / digest[:2] / f"{digest}{target.suffix}"
        if _link(kept, target):
            if sha256_of(target).startswith(digest):
                return
            kept.unlink(missing_ok=True)
            target.unlink()
        _fetch_with_room(self, uri, target)
        _require(target, digest, uri)
        self._keep(target, kept)

    def _keep(self, source: Path, kept: Path) -> None:
        """Add a copy to the cache, if there is room for it."""
        size = source.stat().st_size
        if self.limit_bytes < size:
            return
        partial = _partial(kept)
        with self._one:
            self._reserve(size)
            try:
                kept.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(source, partial)
                partial.replace(kept)
            except FileNotFoundError:  # another process made room at this moment
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
            finally:  # renaming one link of a file to another does nothing
                partial.unlink(missing_ok=True)

    def _reserve(self, size: int) -> None:
        """Make room for a copy, without listing all copies for each new one."""
        if size > self._room:
            step = max(size, self.limit_bytes // _STEP)
            self.make_room(self.limit_bytes - step)
            self._room = step
        self._room -= size

    def make_room(self, limit_bytes: int) -> None:
        """Remove the copies used least recently until at most `limit_bytes` are left."""
        found = []
        for path in self.folder.glob("??/*"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process made room
                continue
            found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


@cache
def _copies(folder: str, limit_bytes: int) -> LocalCopies:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{FOLDER}={folder}: expected a folder for local copies ({error.strerror})"
        ) from None
    return LocalCopies(Path(folder), limit_bytes)


def copies() -> LocalCopies:
    """Return this machine's cache of stored objects, configured by the environment.

    Raises:
        InputError: If BACKHAUL_CACHE cannot be a folder, or BACKHAUL_CACHE_BYTES is no number.
    """
    folder = str(cache_folder())
    limit = os.environ.get(BYTES) or str(DEFAULT_BYTES)
    if not limit.isdigit():
        raise InputError(f"{BYTES}={limit}: expected a number of bytes")
    return _copies(folder, int(limit))


def local_object(artifact: Artifact, folder: Path) -> Path:
    """Return a file in `folder` with the bytes of a stored object, such as a checkpoint.

    The bytes are checked, and no other process writes there: what is opened is what was
    checked.

    Raises:
        MissingObjectError: If nothing is stored there.
        CorruptArtifactError: If the digest does not match.
    """
    return checked_file(artifact.uri, artifact.sha256, folder)


def checked_file(uri: str, sha256: str, folder: Path) -> Path:
    """Return a file in `folder` with the bytes at `uri`, whose digest is checked.

    Args:
        uri: Where the bytes are stored.
        sha256: SHA-256 that they must have.
        folder: Folder of the caller.

    Raises:
        MissingObjectError: If nothing is stored there.
        CorruptArtifactError: If the digest does not match.
    """
    target = folder / f"{sha256}{Path(uri).suffix}"
    if target.exists():
        return target
    if is_local(uri):
        _copy(_existing(uri), target)
        _require(target, sha256, uri)
    else:
        copies().copy(uri, sha256, target)
    return target


def local_image(uri: str, image_id: str, folder: Path) -> Path:
    """Return a local file of an image, whose content is checked if it is remote or in a store.

    The digest of a stored object is in its name; an augmented copy's id does not contain it.
    Any other image must have the content from which its `image_id` was made.

    Args:
        uri: Where the image is stored.
        image_id: Begins with the digest of its content, unless it is an augmented copy.
        folder: Folder of the caller.

    Raises:
        MissingObjectError: If nothing is stored there.
        CorruptArtifactError: If the content is another by now.
    """
    digest = digest_in_name(uri) or image_id
    if is_local(uri):
        path = _existing(uri)
        if _is_ours(uri, image_id) and not is_intact(uri, digest):
            raise CorruptArtifactError(uri)
        return path
    target = folder / f"{digest}{Path(uri).suffix}"
    if not target.exists():
        copies().copy(uri, digest, target)
    return target


def _is_ours(uri: str, image_id: str) -> bool:
    """Return whether an image lies where Backhaul alone writes: in a store, or taken in."""
    return bool(root_of(uri)) or f"/{arrival_stem(image_id)}." in uri


def local_file(uri: str, folder: Path) -> Path:
    """Return a local file with the bytes at `uri`, without a check of its content.

    Raises:
        MissingObjectError: If nothing is stored there.
    """
    if is_local(uri):
        return _existing(uri)
    target = folder / uri.rpartition("/")[2]
    fetch(uri, target)
    return target


def fetch(uri: str, target: Path) -> None:
    """Copy the bytes at `uri` to the file `target`; the cache makes room if necessary.

    Raises:
        MissingObjectError: If nothing is stored there.
        StoreError: If there is no room, even with all copies removed.
    """
    _fetch_with_room(copies(), uri, target)


def _require(target: Path, digest: str, uri: str) -> None:
    """Remove a copy whose bytes have another digest, and raise CorruptArtifactError."""
    if not sha256_of(target).startswith(digest):
        target.unlink()
        raise CorruptArtifactError(uri)


def _existing(uri: str) -> Path:
    if not os.path.exists(uri):  # noqa: PTH110 - called for every image
        raise MissingObjectError(f"{uri}: is gone from the store")
    return Path(uri)


def _fetch_with_room(kept: LocalCopies, uri: str, target: Path) -> None:
    partial = target.with_name(f"{uuid.uuid4().hex}.partial")  # two threads may want the same
    try:
        try:
            get_file(uri, partial)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            kept.make_room(0)
            get_file(uri, partial)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno not in _FULL:
            raise
        raise StoreError(
            f"{target.parent}: no space is left there for {uri}; free some, or set TMPDIR and "
            f"{FOLDER} to folders on a larger disk, and start again"
        ) from None


def _link(source: Path, target: Path) -> bool:
    """Link or copy the file `source` to `target`, and record that it was used.

    Return False if there is no such file, or no room for a copy of it.
    """
    try:
        _link_or_copy(source, target)
        os.utime(source)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return False
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except FileExistsError:  # a thread that wants the same was faster
        return
    except OSError:  # another disk, or one without links
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    partial = _partial(target)
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _partial(target: Path) -> Path:
    return target.with_name(f"{uuid.uuid4().hex}.partial")
