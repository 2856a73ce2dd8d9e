"""Signatures are those of AWS's documentation, and those of botocore."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from backhaul.uplink.signature import NOTHING, Keys, encoded, signed

EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
THEN = datetime(2013, 5, 24, tzinfo=UTC)
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()


@pytest.mark.parametrize(
    ("method", "path", "headers", "payload", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {"Range": "bytes=0-9"},
            NOTHING,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            {
                "Date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            WELCOME,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    ],
    ids=["get", "put"],
)
def test_examples_of_the_documentation(
    method: str, path: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    host = {"Host": "examplebucket.s3.amazonaws.com"}
    whole = signed(
        method,
        encoded(path),
        host | headers,
        payload,
        keys=EXAMPLE,
        region="us-east-1",
        now=THEN,
    )
    assert whole["Authorization"].endswith(f"Signature={signature}")


@given(
    name=st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20),
    method=st.sampled_from(["GET", "PUT", "HEAD"]),
    token=st.none() | st.text("abc/+=", min_size=1, max_size=9),
    etag=st.none() | st.text(' "ab*-', min_size=1, max_size=9),
    secret=st.text("abcXYZ019/+", min_size=1, max_size=40),
)
def test_agrees_with_botocore(
    name: str, method: str, token: str | None, etag: str | None, secret: str
) -> None:
    path = encoded(f"/bucket/{name}")
    headers = {"Host": "127.0.0.1:8333"} | ({} if etag is None else {"If-None-Match": etag})
    ours = signed(
        method, path, headers, WELCOME, keys=Keys("AKID", secret, token), region="r", now=THEN
    )
    content = b"Welcome to Amazon S3." if method == "PUT" else b""
    own = {} if etag is None else {"If-None-Match": etag}
    url = f"http://127.0.0.1:8333{path}"
    request = AWSRequest(method=method, url=url, headers=own, data=content)
    request.context["payload_signing_enabled"] = True
    request.headers["X-Amz-Content-SHA256"] = WELCOME
    with (
        patch("botocore.auth.get_current_datetime", return_value=THEN),
        patch.object(S3SigV4Auth, "payload", lambda *_: WELCOME),
    ):
        S3SigV4Auth(Credentials("AKID", secret, token), "s3", "r").add_auth(request)
    assert _parts(ours["Authorization"]) == _parts(request.headers["Authorization"])


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Keys("id", "secret", "secret of a session"))


def _parts(authorization: str) -> list[str]:
    return [part.strip() for part in authorization.split(",")]
