"""Find the keys of a node: in a file that its owner alone may read, or in the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, open_file, user_path
from backhaul.uplink.settings import S3Uplink
from backhaul.uplink.signature import Keys

_MOST_BYTES = 2**16
_ID, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


def read_keys(settings: S3Uplink, environment: Mapping[str, str] = os.environ) -> Keys:
    """Return the keys that settings lead to.

    Raises:
        InputError: If there are none, or others may read the file. It repeats no key.
    """
    if settings.keys_file is not None:
        return _of_file(settings.keys_file)
    key_id = environment.get(settings.key_id_variable)
    secret = environment.get(settings.secret_variable)
    if not key_id or not secret:
        field = "secret_variable" if key_id else "key_id_variable"
        raise InputError(
            f"uplink.{field}: the environment variable it names is not set; expected it, or "
            "keys_file"
        )
    return Keys(key_id, secret, environment.get(settings.token_variable) or None)


def _of_file(path: str) -> Keys:
    """Return the keys in a file of lines ``NAME=value``."""
    place = user_path(path)
    with open_file(place, _MOST_BYTES) as file:
        status = os.fstat(file.fileno())
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnreadableFileError(place, f"others may read it: chmod 600 {place}")
    pairs = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
    values = {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
    if not values.get(_ID) or not values.get(_SECRET):
        raise UnreadableFileError(place, f"expected lines {_ID}=... and {_SECRET}=...")
    return Keys(values[_ID], values[_SECRET], values.get(_TOKEN) or None)
