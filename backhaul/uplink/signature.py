"""Signatures of requests to S3: AWS Signature Version 4, of requests without a query.

Source: AWS, "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

NOTHING = hashlib.sha256().hexdigest()
"""The digest of no content."""
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """What opens a bucket.

    Args:
        key_id: Names the key; no secret.
        secret: Signs.
        token: Of a session with keys that expire; None = there is none.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def encoded(path: str) -> str:
    """Return a path as it is requested and signed: all but A-Z a-z 0-9 - . _ ~ / escaped."""
    return quote(path, safe="/~")


def signed(
    method: str,
    path: str,
    headers: Mapping[str, str],
    payload: str,
    *,
    keys: Keys,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """Return all headers of a request, its signature among them.

    Args:
        method: Such as ``PUT``.
        path: As it is requested, see `encoded`.
        headers: Those to sign, ``Host`` among them.
        payload: The SHA-256 of the content in hexadecimal digits.
        keys: That sign it.
        region: Of the bucket.
        now: The time, in UTC.
    """
    date = now.strftime("%Y%m%dT%H%M%SZ")
    own = {"x-amz-content-sha256": payload, "x-amz-date": date}
    if keys.token is not None:
        own["x-amz-security-token"] = keys.token
    whole = {**headers, **own}
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in whole.items())
    names = ";".join(name for name, _ in lines)
    listed = "".join(f"{name}:{value}\n" for name, value in lines)
    request = f"{method}\n{path}\n\n{listed}\n{names}\n{payload}"
    scope = f"{date[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = _key(keys.secret, scope)
    signature = _hmac(signature, f"{_ALGORITHM}\n{date}\n{scope}\n{digest}")
    whole["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.key_id}/{scope},"
        f"SignedHeaders={names},Signature={signature.hex()}"
    )
    return whole


def _key(secret: str, scope: str) -> bytes:
    """Return the key that is good for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
