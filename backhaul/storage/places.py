"""Locations of files: folders and s3:// addresses, and how to open them."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import fsspec
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from fsspec.exceptions import FSTimeoutError
from tenacity import (
    retry,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from backhaul.errors import RefusedFileError, StoreError
from backhaul.storage.addresses import is_local
from backhaul.storage.patience import tell_of

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 300.0
"""How long a store may be away before what needs it fails."""

_NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS)
"""What is said of a folder that no store can be in."""
_REFUSED = (errno.EACCES, errno.EPERM, errno.EIO)
"""What is said of a file that cannot be read or moved, while others can."""
_NO_BUCKET = "NoSuchBucket"
_TRANSIENT = (
    ConnectionError,
    FSTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    NoConnectionError,
    TimeoutError,
)
_DEFAULTS: dict[str, Any] = {
    "use_listings_cache": False,  # others write at the same time
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"mode": "standard", "max_attempts": 2},  # the long wait is `patiently`
    },
}
_OF_ALL = (
    *("AccessDenied", "403", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("ExpiredToken", "InvalidToken", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed"),
)
"""Refusals of the bucket or the keys, which concern all objects."""
_opened: dict[str, dict[str, Any]] = {}


def open_bucket(bucket: str, options: Mapping[str, Any]) -> bool:
    """Set the keys and the endpoint of a bucket for this process.

    Args:
        bucket: Its name.
        options: Arguments of s3fs that open it.

    Returns:
        False where the bucket is open with others already; these then stay.
    """
    return _opened.setdefault(bucket, dict(options)) == options


def filesystem(uri: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of `uri`, and the path in it."""
    if is_local(uri):
        return fsspec.filesystem("file", auto_mkdir=True), uri
    if not uri.startswith("s3://"):
        fs, path = fsspec.core.url_to_fs(uri)
        return fs, str(path)
    path = uri.removeprefix("s3://")
    mine = _opened.get(path.partition("/")[0], {})
    return fsspec.filesystem("s3", **_DEFAULTS, **mine), path


def filesystem_with(uri: str, access_key: str, secret_key: str) -> tuple[Any, str]:
    """Return the filesystem of an s3:// address with other keys than this process's."""
    path = uri.removeprefix("s3://")
    mine = _opened.get(path.partition("/")[0], {})
    keys = {**mine, "key": access_key, "secret": secret_key}
    return fsspec.filesystem("s3", **_DEFAULTS, **keys), path


def patiently(function: Callable[P, R]) -> Callable[P, R]:
    """Retry `function` while a store does not answer, or is too busy to.

    The waits grow, with a random part, until `PATIENCE_S` have passed. The error raised then,
    or at once if a store refuses, is a `StoreError` with a message of ours.
    """
    persistent = retry(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.5, max=15),
        before_sleep=tell_of("the store"),
        reraise=True,
    )(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return persistent(*args, **kwargs)
        except Exception as error:
            if is_transient(error) or _is_refusal(error):
                raise StoreError(_explain(error)) from error
            raise

    return call


def is_transient(error: BaseException) -> bool:
    """Return whether the same request may succeed later: no answer, 5xx or rate limit."""
    if isinstance(error, StoreError):
        return False  # its time is up
    if isinstance(error, _transient_errors()):
        return True
    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError):
        return False
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or code_of(error) in ("SlowDown", "RequestTimeout")  # noqa: PLR2004


def _transient_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of an unreachable store; aiohttp's only if it is loaded."""
    loaded = sys.modules.get("aiohttp")
    return _TRANSIENT if loaded is None else (*_TRANSIENT, loaded.ClientError)


def code_of(error: BaseException) -> str:
    """Return the error code of an S3 service; empty for any other error."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    return (
        str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""
    )


def refuses_one(error: BaseException) -> bool:
    """Return whether an S3 service refuses one object, and not the bucket or the keys.

    It does so for objects that are encrypted with somebody's own key, archived, or too large.
    """
    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError) or is_transient(error):
        return False
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and code_of(error) not in _OF_ALL  # noqa: PLR2004


def of_one(error: OSError, uri: str) -> Exception:
    """Return the error to raise for one about a file that a node has put there."""
    if error.errno in _REFUSED or refuses_one(error):
        return RefusedFileError(f"{uri}: {error.strerror or code_of(error) or error}")
    return error


def _is_refusal(error: Exception) -> bool:
    if isinstance(error, BotoCoreError | ClientError | PermissionError):
        return True
    if isinstance(error, OSError) and error.errno in _NO_PLACE:
        return True
    if not isinstance(error, OSError) or not isinstance(error.__cause__, ClientError):
        return False
    missing = isinstance(error, FileNotFoundError | FileExistsError)
    return not missing or code_of(error) == _NO_BUCKET


def _explain(error: Exception) -> str:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return (
            "the object store needs keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "name the store block://NAME of a Prefect block"
        )
    if isinstance(error, PermissionError) and error.filename is None:
        return (
            f"the object store refuses these keys ({error}): check AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the block, and what the keys may do"
        )
    if isinstance(error, OSError) and (error.errno in _NO_PLACE or error.filename):
        return f"{error.filename}: {error.strerror}"
    if code_of(error) == _NO_BUCKET:
        return f"the object store has no such bucket ({error}): make it, or mend the address"
    if is_transient(error):
        return (
            f"the object store stayed away for {PATIENCE_S:.0f} s ({error}): see that it runs "
            "and can be reached, and start again"
        )
    return f"the object store did not serve the request: {error}"


@patiently
def require_bucket(address: str) -> None:
    """Do nothing if the bucket of an s3:// address exists; folders always pass.

    Raises:
        StoreError: If it is not, or the service refuses the keys.
    """
    if not address.startswith("s3://"):
        return
    fs, path = filesystem(address)
    bucket = path.partition("/")[0]
    try:
        fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
    except FileNotFoundError:
        raise StoreError(f"{address}: there is no bucket {bucket}") from None
