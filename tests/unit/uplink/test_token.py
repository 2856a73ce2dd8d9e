"""Tokens that enrol nodes: whole or told, and with no secret in any error."""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.errors import InputError
from backhaul.uplink.token import MOST_BYTES, PREFIX, Token, decoded, encoded, token_of

SIGNS = "aSecretOfFortyCharacters/WithASlash+Plus"
FIELDS: dict[str, Any] = {
    "node": "cam-1",
    "uplink": {
        "kind": "s3",
        "bucket": "edge",
        "prefix": "site/a",
        "endpoint": "https://h:8333",
    },
    "keys": {"key_id": "AKIDCAM1", "secret": SIGNS},
    "expires_s": 2e9,
}


def made(**changes: Any) -> Token:
    return token_of(**{**FIELDS, **changes})


def signed(form: int, data: bytes) -> str:
    """Return a whole token with any content."""
    begun = f"{PREFIX}{form}.{urlsafe_b64encode(data).decode().rstrip('=')}"
    return f"{begun}.{hashlib.sha256(begun.encode()).hexdigest()[:8]}"


@given(
    prefix=st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True),
    secret=st.from_regex(r"[\x21-\x7e]{1,200}", fullmatch=True),
    session=st.none() | st.from_regex(r"[\x21-\x7e]{1,200}", fullmatch=True),
    root=st.none() | st.text(max_size=300),
    settings=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)),
)
def test_a_token_says_what_went_in(
    prefix: str, secret: str, session: str | None, root: str | None, settings: dict[str, Any]
) -> None:
    token = made(
        uplink={"kind": "s3", "bucket": "edge", "prefix": prefix},
        keys={"key_id": "AKID", "secret": secret, "token": session},
        root=root,
        settings=settings,
    )
    text = encoded(token)
    assert text.isascii()
    assert text.split() == [text]
    assert decoded(text) == token
    wrapped = "\n ".join(text[n : n + 70] for n in range(0, len(text), 70))
    assert decoded(f"\n{wrapped}\n") == token


@given(st.integers(min_value=0), st.sampled_from("aB3-_."))
def test_a_token_that_was_cut_or_changed_is_told(place: int, other: str) -> None:
    text = encoded(made())
    place %= len(text)
    with pytest.raises(InputError, match=r"was cut or changed|expected a token"):
        decoded(text[:place])
    if text[place] != other:
        with pytest.raises(InputError, match=r"was cut|expected a token|has form"):
            decoded(text[:place] + other + text[place + 1 :])


def test_every_token_has_a_secret_of_its_own() -> None:
    assert len({made().sealing for _ in range(3)}) == 3


def test_another_form_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"form 2.*install a newer Backhaul"):
        decoded(signed(2, b"whatever is in it"))
    for text in ("", "AKIDCAM1", "github_pat_11AB", PREFIX, f"x{encoded(made())}"):
        with pytest.raises(InputError, match="expected a token of `backhaul fleet token`"):
            decoded(text)


def test_a_whole_token_with_other_content_is_refused() -> None:
    whole = made().model_dump()
    bad = [
        b"no zlib",
        zlib.compress(b"no JSON"),
        zlib.compress(b"[" * 50_000),
        zlib.compress(json.dumps({**whole, "node": "../x"}).encode()),
        zlib.compress(json.dumps({**whole, "later": SIGNS}).encode()),
        zlib.compress(
            json.dumps({**whole, "keys": {"key_id": "a b", "secret": SIGNS}}).encode()
        ),
        zlib.compress(bytes(3 * MOST_BYTES)),
    ]
    for data in bad:
        with pytest.raises(InputError, match="the token: ") as told:
            decoded(signed(1, data))
        assert SIGNS not in str(told.value)
        assert "\n" not in str(told.value)


def test_a_token_that_no_agent_would_take_is_not_made() -> None:
    with pytest.raises(InputError, match="the token: expected at most 200,000 bytes"):
        encoded(made(root="x" * MOST_BYTES))


def test_it_expires() -> None:
    token = made(expires_s=1_000_000.0)
    token.require_fresh(999_999.0)
    with pytest.raises(InputError, match=r"token of cam-1 expired 2.0 days ago"):
        token.require_fresh(1_000_000.0 + 2 * 86_400)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"node": "a/b"}, "node: "),
        ({"group": ""}, "group: "),
        ({"keys": {"key_id": "", "secret": SIGNS}}, "keys.key_id: "),
        ({"keys": {"key_id": "AKID", "secret": f"{SIGNS} with a space"}}, "keys.secret: "),
    ],
)
def test_wrong_fields_end_with_one_line_without_keys(change: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as told:
        made(**change)
    assert str(told.value).startswith(line)
    assert SIGNS not in str(told.value)
    assert "\n" not in str(told.value)
