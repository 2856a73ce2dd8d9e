"""Find the keys of a node: in a file that its owner alone may read, or in the environment."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from backhaul.errors import InputError
from backhaul.untrusted import FilePath, UnreadableFileError, user_path
from backhaul.uplink.privatefile import read_private
from backhaul.uplink.settings import S3Uplink
from backhaul.uplink.signature import Keys

SEALING = "BACKHAUL_SEALING_SECRET"
"""Line of a key file: what opens keys that home has sealed for this node."""
SEALED_AT = "BACKHAUL_SEALED_AT"
"""Line of a key file: when home sealed the keys in it; keys sealed before are not taken."""
_ID, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_MARK_DIGITS = 8


def read_keys(settings: S3Uplink, environment: Mapping[str, str] = os.environ) -> Keys:
    """Return the keys that settings lead to.

    Raises:
        InputError: If there are none, or others may read the file. It repeats no key.
    """
    if settings.keys_file is not None:
        return keys_in(read_lines(settings.keys_file), settings.keys_file)
    key_id = environment.get(settings.key_id_variable)
    secret = environment.get(settings.secret_variable)
    if not key_id or not secret:
        field = "secret_variable" if key_id else "key_id_variable"
        raise InputError(
            f"uplink.{field}: the environment variable it names is not set; expected it, or "
            "keys_file"
        )
    return Keys(key_id, secret, environment.get(settings.token_variable) or None)


def read_lines(path: FilePath) -> dict[str, str]:
    """Return what a private file of lines ``NAME=value`` says, as a shell would read it.

    Raises:
        UnreadableFileError: If it cannot be read, or others may read it.
    """
    lines = read_private(path).splitlines()
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines)
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def keys_in(lines: Mapping[str, str], path: FilePath) -> Keys:
    """Return the keys that the lines of a file say.

    Raises:
        UnreadableFileError: If there are none; it repeats nothing.
    """
    if not lines.get(_ID) or not lines.get(_SECRET):
        raise UnreadableFileError(
            user_path(path), f"expected lines {_ID}=... and {_SECRET}=..."
        )
    return Keys(lines[_ID], lines[_SECRET], lines.get(_TOKEN) or None)


def key_text(keys: Keys, sealing: str, sealed_s: int | None = None) -> str:
    """Return the text of a key file.

    Args:
        keys: The keys.
        sealing: What opens keys that home seals.
        sealed_s: When home sealed these, seconds since 1970; None = they came with a token.
    """
    lines = {_ID: keys.key_id, _SECRET: keys.secret, _TOKEN: keys.token, SEALING: sealing}
    if sealed_s is not None:
        lines[SEALED_AT] = str(sealed_s)
    return "".join(f"{name}={value}\n" for name, value in lines.items() if value)


def mark_of(key_id: str) -> str:
    """Return what tells keys apart in a status: eight digits of the digest of their id."""
    return hashlib.sha256(key_id.encode()).hexdigest()[:_MARK_DIGITS]
