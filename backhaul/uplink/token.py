"""A token that enrols a node: one line with all that a bare machine needs to talk to home.

It reads ``backhaul-token-1.BODY.CHECK``: JSON, compressed, in base64 for URLs, and the first
digits of its SHA-256, so that a copy that was cut says so. It is as secret as the keys in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from backhaul.errors import InputError
from backhaul.settings import Part
from backhaul.untrusted import one_line
from backhaul.uplink.sealing import KeyRecord, SealingSecret, new_secret
from backhaul.uplink.settings import S3Uplink

PREFIX = "backhaul-token-"
"""What people and scanners for secrets know a token by."""
FORM = 1
"""Of a token; an agent refuses a greater one."""
MOST_BYTES = 200_000
"""Of a token, and of what it unpacks to."""
_CHECK_DIGITS = 8
_BEGIN = re.compile(rf"{PREFIX}(\d{{1,6}})\.")
_WHOLE = re.compile(rf"({PREFIX}\d{{1,6}}\.[A-Za-z0-9_-]+)\.([0-9a-f]{{{_CHECK_DIGITS}}})")
NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Token(Part):
    """What a node is enrolled with.

    Args:
        node: Its name.
        uplink: Where home is, without keys.
        keys: Its keys.
        sealing: Opens the keys that home gives it later.
        expires_s: Until when it may be used, seconds since 1970.
        root: Metadata of the role root (TUF) that it trusts; None = it takes no updates.
        group: Its group, for what is published.
        settings: Further settings of a node, as in NODE.yaml.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    node: NodeName
    uplink: S3Uplink
    keys: KeyRecord
    sealing: SealingSecret
    expires_s: float
    root: str | None = None
    group: NodeName = "all"
    settings: dict[str, Any] = Field(default_factory=dict)

    def require_fresh(self, now_s: float) -> None:
        """Do nothing if it may still be used.

        Raises:
            InputError: If it has expired.
        """
        if now_s > self.expires_s:
            days = (now_s - self.expires_s) / 86_400
            raise InputError(
                f"the token of {self.node} expired {days:.1f} days ago, by the clock of this "
                "machine: make another, backhaul fleet token"
            )


def token_of(**fields: Any) -> Token:
    """Return a token with a fresh secret for sealing.

    Args:
        fields: See `Token`.

    Raises:
        InputError: If one of them is wrong; it repeats no key.
    """
    try:
        return Token.model_validate({**fields, "sealing": new_secret()})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {first['msg']}") from None


def encoded(token: Token) -> str:
    """Return a token as one line.

    Raises:
        InputError: If no agent would take it, as it is too large.
    """
    data = token.model_dump_json(exclude_defaults=True).encode()
    body = base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
    begun = f"{PREFIX}{FORM}.{body}"
    line = f"{begun}.{_check_of(begun)}"
    if max(len(data), len(line)) > MOST_BYTES:
        raise InputError(
            f"the token: expected at most {MOST_BYTES:,} bytes of settings and root.json"
        )
    return line


def decoded(text: str) -> Token:
    """Return what a token says; spaces and line ends in it, as of a copy, do not count.

    Raises:
        InputError: If it is none, was cut or changed, or a newer version made it. It repeats
            nothing of it.
    """
    line = "".join(text[: 2 * MOST_BYTES].split())
    begun = _BEGIN.match(line)
    if begun is None:
        raise InputError(f"expected a token of `backhaul fleet token`: {PREFIX}{FORM}.…")
    if int(begun[1]) > FORM:
        raise InputError(
            f"the token has form {begun[1]}, and this agent knows {FORM}: install a newer "
            "Backhaul"
        )
    whole = _WHOLE.fullmatch(line)
    if whole is None or _check_of(whole[1]) != whole[2]:
        raise InputError(
            f"the token was cut or changed when it was copied ({len(line):,} characters came): "
            "copy it again, all of its line, or take a file: terminals cut long lines"
        )
    try:
        return Token.model_validate_json(_unpacked(whole[1][begun.end() :]))
    except ValidationError as error:
        key = one_line(".".join(map(str, error.errors()[0]["loc"]))) or "its JSON"
        raise InputError(f"the token: {key}: is nothing that this agent knows") from None


def _unpacked(body: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        data = unpacker.decompress(packed, MOST_BYTES)
    except (ValueError, zlib.error):
        raise InputError("the token: expected what `backhaul fleet token` prints") from None
    if not unpacker.eof:
        raise InputError(f"the token: expected at most {MOST_BYTES:,} bytes")
    return data


def _check_of(begun: str) -> str:
    return hashlib.sha256(begun.encode()).hexdigest()[:_CHECK_DIGITS]
