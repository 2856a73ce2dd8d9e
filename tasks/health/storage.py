"""The store and the data sets: can they be used as the stages use them?"""

from __future__ import annotations

import errno
import secrets
import time
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import fsspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnectionError

from backhaul.config import CampaignConfig, FolderData
from tasks.health.check import Answer, failed, ok
from tasks.health.clock import compare_clocks
from tasks.store import INTERNAL

PROBE_BYTES = 2**20
_REMEDIES = {
    "write": "check what the keys, or this user, may do there",
    "read back": "check what the keys, or this user, may do there",
    "create if absent": "take a store that honours If-None-Match: AWS S3, SeaweedFS, MinIO",
    "delete": "let the keys, or this user, delete there",
}


def is_local(address: str) -> bool:
    """Return whether an address is a folder of this machine."""
    return "://" not in address


def check_store(address: str) -> Answer:
    """Write a small object, read it back, create one if absent, and delete both."""
    try:
        probe = _Probe(address)
    except (OSError, ValueError, ImportError) as error:
        return failed(f"{address}: {_one_line(error)}", "a folder, or s3://BUCKET/PREFIX")
    actions: dict[str, Callable[[], None]] = {
        "write": probe.write,
        "read back": probe.read,
        "create if absent": probe.create,
        "delete": probe.delete,
    }
    told = []
    for step, act in actions.items():
        start = time.perf_counter()
        try:
            act()
        except (OSError, BotoCoreError, ClientError) as error:
            with suppress(OSError, BotoCoreError, ClientError):  # what fails is told below
                probe.delete()
            return _refused(address, step, error)
        told.append(_timed(step, time.perf_counter() - start))
    return ok(f"{address}: {', '.join(told)}")


class _Probe:
    """Objects of our own in a store, which are gone at the end."""

    def __init__(self, address: str) -> None:
        self.fs, root = _open(address)
        self.folder = f"{root.rstrip('/')}/{INTERNAL}/doctor-{uuid.uuid4().hex}"
        self.data = secrets.token_bytes(PROBE_BYTES)
        place = Path(self.folder)
        made = (place, *place.parents) if is_local(address) else ()
        self.made = [folder for folder in made if not folder.exists()]

    def write(self) -> None:
        self.fs.pipe_file(f"{self.folder}/written", self.data)

    def read(self) -> None:
        if self.fs.cat_file(f"{self.folder}/written") != self.data:
            raise OSError("it is not what was written")

    def create(self) -> None:
        path = f"{self.folder}/created"
        if not (_create(self.fs, path, b"first") and not _create(self.fs, path, b"second")):
            raise OSError("two writers of one name both win")

    def delete(self) -> None:
        self.fs.rm(self.folder, recursive=True)
        for folder in self.made[1:]:
            with suppress(OSError):  # another process has put something there meanwhile
                folder.rmdir()


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path there."""
    fs, path = fsspec.core.url_to_fs(address, auto_mkdir=True)
    return fs, str(path)


def _create(fs: Any, path: str, data: bytes) -> bool:
    """Put `data` where nothing lies yet; return whether it is there now."""
    try:
        if "file" in fs.protocol:
            with Path(path).open("xb") as file:
                file.write(data)
        else:
            fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        if _code(error) == "PreconditionFailed":
            return False
        raise
    return True


def _timed(step: str, seconds: float) -> str:
    rate = (
        f" ({PROBE_BYTES / seconds / 1e6:.0f} MB/s)" if step in ("write", "read back") else ""
    )
    return f"{step} {1000 * seconds:.0f} ms{rate}"


def _refused(address: str, step: str, error: Exception) -> Answer:
    """Put into words why a step did not work."""
    code = _code(error)
    if isinstance(error, NoCredentialsError):
        return failed(
            f"{address}: there are no keys",
            "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...",
        )
    if isinstance(error, NoConnectionError):
        return failed(
            f"{address}: {_one_line(error)}",
            "start the store, or export AWS_ENDPOINT_URL_S3=http://HOST:PORT",
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return failed(
            f"{address}: the keys are refused ({code})",
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; secrets are those of the store",
        )
    if code == "NoSuchBucket":
        bucket = address.split("://")[1].partition("/")[0]
        return failed(
            f"{address}: there is no bucket {bucket}",
            f"python -c \"import s3fs; s3fs.S3FileSystem().mkdir('{bucket}')\"",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return failed(f"{address}: no space is left", "make room there")
    return failed(f"{address}: cannot {step}: {_one_line(error)}", _REMEDIES[step])


def _code(error: Exception) -> str:
    """Return the code with which an S3 service refused; empty if it was none."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    return (
        str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def check_store_clock(address: str) -> Answer:
    """Compare the clock of an S3 service with ours."""
    fs, _ = _open(address)
    return compare_clocks(lambda: _date_at(fs.s3.meta.endpoint_url))


def _date_at(url: str) -> str:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the user's own store
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return str(answer.headers["Date"])
    except HTTPError as error:  # it lets nobody in without keys, and has a clock
        return str(error.headers["Date"])


def check_data(config: CampaignConfig) -> Answer:
    """Say whether the data sets of a campaign are there."""
    parts = {"data": config.data, "initial.data": config.initial.data}
    roots = {
        f"{key}.root": str(part.root)
        for key, part in parts.items()
        if isinstance(part, FolderData)
    }
    missing = [
        f"{key}: nothing at {root}" for key, root in roots.items() if not _is_there(root)
    ]
    if missing:
        return failed("; ".join(missing), "backhaul data check FOLDER  (looks at one)")
    return ok(", ".join(roots.values()) or f"data.kind is {config.data.kind}")


def _is_there(address: str) -> bool:
    fs, path = _open(address)
    return bool(fs.exists(path))
