"""Checks of the store and the data sets, used in the same way as by the stages."""

from __future__ import annotations

import errno
import secrets
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnectionError

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError, StoreError
from backhaul.health.check import Answer, failed, ok
from backhaul.health.clock import SET_CLOCK, compare_clocks
from backhaul.layout import internal
from backhaul.storage.addresses import is_local
from backhaul.storage.conditional import create
from backhaul.storage.places import code_of, filesystem

Resolve: TypeAlias = Callable[[str], str]
"""Returns where an address is, with the keys of a block taken up."""

PROBE_BYTES = 2**20
_RIGHTS = "check what the keys, or this user, may do there"
_REMEDIES = {
    "list": _RIGHTS,
    "write": _RIGHTS,
    "read back": _RIGHTS,
    "create if absent": "take a store that honours If-None-Match: AWS S3, SeaweedFS, MinIO",
    "delete": _RIGHTS,
}
_MISSING_KEYS = "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=..., or name a block://NAME"
_WRONG_KEYS = (
    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the block, with the store's"
)
_BY_CODE = {
    "InvalidAccessKeyId": ("the keys are refused (no such access key)", _WRONG_KEYS),
    "SignatureDoesNotMatch": ("the keys are refused (wrong secret)", _WRONG_KEYS),
    "RequestTimeTooSkewed": ("its clock and ours are too far apart", SET_CLOCK),
    "NoSuchBucket": (
        "there is no bucket {bucket}",
        "python -c \"import s3fs; s3fs.S3FileSystem().mkdir('{bucket}')\"",
    ),
}
"""Problem and remedy for each error code of an S3 service."""
_REFUSALS = (OSError, BotoCoreError, ClientError, StoreError)


def check_store(address: str, resolve: Resolve) -> Answer:
    """Write a small object, read it back, create one if absent, and delete both."""
    try:
        probe = _Probe(resolve(address))
    except (InputError, ValueError, ImportError) as error:
        return failed(_one_line(error), "name a folder, s3://BUCKET/PREFIX or block://NAME")
    actions: dict[str, Callable[[], None]] = {
        "list": probe.list,
        "write": probe.write,
        "read back": probe.read,
        "create if absent": probe.create,
        "delete": probe.delete,
    }
    seconds: dict[str, float] = {}
    for step, act in actions.items():
        start = time.perf_counter()
        try:
            act()
        except _REFUSALS as error:
            if seconds:  # it has let us in, so there may be something to take away
                with suppress(*_REFUSALS):
                    probe.delete()
            return _refused(address, probe.uri, step, error)
        seconds[step] = time.perf_counter() - start
    return ok(f"{address}: {', '.join(_timed(*each) for each in seconds.items())}")


class _Probe:
    """Test objects in a store, which are deleted at the end.

    The requests are made once each: how long the stages would wait is no question here.
    """

    def __init__(self, root: str) -> None:
        self.uri = internal(root, f"doctor-{uuid.uuid4().hex}")
        self.fs, self.path = filesystem(self.uri)
        self.data = secrets.token_bytes(PROBE_BYTES)
        folders = Path(self.path).parents if is_local(self.uri) else ()
        self.made = [folder for folder in folders if not folder.exists()]

    def list(self) -> None:
        """Look before anything is written: some services make a bucket that is not there."""
        if self.uri.startswith("s3://"):
            bucket, _, key = self.path.partition("/")
            self.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)

    def write(self) -> None:
        self.fs.pipe_file(f"{self.path}/written", self.data)

    def read(self) -> None:
        if self.fs.cat_file(f"{self.path}/written") != self.data:
            raise OSError("it is not what was written")

    def create(self) -> None:
        uri = f"{self.uri}/created"
        if not create(uri, b"first") or create(uri, b"second"):
            raise OSError("two writers of one name both win")

    def delete(self) -> None:
        try:
            self.fs.rm(self.path, recursive=True)
        finally:
            for folder in self.made:
                with suppress(OSError):  # another process has put something there meanwhile
                    folder.rmdir()


def _timed(step: str, seconds: float) -> str:
    rate = (
        f" ({PROBE_BYTES / seconds / 1e6:.0f} MB/s)" if step in ("write", "read back") else ""
    )
    return f"{step} {1000 * seconds:.0f} ms{rate}"


def _refused(address: str, uri: str, step: str, error: Exception) -> Answer:
    """Put into words why a step did not work."""
    match error:
        case NoCredentialsError():
            return failed(f"{address}: there are no keys", _MISSING_KEYS)
        case NoConnectionError():
            place = urlsplit(str(error.kwargs.get("endpoint_url", "")))
            return failed(
                f"{address}: nothing answers at {place.scheme}://{place.netloc}",
                "start the store, or export AWS_ENDPOINT_URL_S3=http://HOST:PORT",
            )
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return failed(f"{address}: no space is left", "make room there")
    if (code := code_of(error)) in _BY_CODE:
        bucket = urlsplit(uri).netloc
        found, remedy = (text.format(bucket=bucket) for text in _BY_CODE[code])
        return failed(f"{address}: {found}", remedy)
    return failed(f"{address}: cannot {step}: {_one_line(error)}", _REMEDIES[step])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def check_store_clock(address: str, resolve: Resolve) -> Answer:
    """Compare the clock of an S3 service with ours."""
    fs, path = filesystem(resolve(address))
    bucket = path.partition("/")[0]

    def read_date() -> str:
        answer = fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
        return str(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    return compare_clocks(read_date)


def check_data(config: CampaignConfig, resolve: Resolve) -> Answer:
    """Say whether the data sets of a campaign are there."""
    roots = {f"{key}.root": data.root for key, data in config.folders.items()}
    missing = [
        f"{key}: nothing at {root}"
        for key, root in roots.items()
        if not _is_there(resolve(root))
    ]
    if missing:
        return failed("; ".join(missing), "backhaul data check FOLDER  (looks at one)")
    return ok(", ".join(roots.values()) or f"data.kind is {config.data.kind}")


def _is_there(address: str) -> bool:
    fs, path = filesystem(address)
    return bool(fs.exists(path))
