"""What a child process is given of the environment: no keys that it does not need."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMED = re.compile(
    r"^AWS_|^PG|SECRET|CREDENTIAL|COOKIE|APIKEY|PASSW|PASSFILE|PASSPHRASE|CONNECTION_(URL|STRING)"
    r"|(^|_)(TOKENS?|AUTH|KEYS?|PASS|PAT|PRIVATE|DSN|JWT|SAS)(_|$)|_PWD(_|$)",
    re.IGNORECASE,
)
"""Names of variables that open something: keys of stores, logins, databases."""
_WITH_PASSWORD = re.compile(r"://[^/\s@]+@")


def without_secrets(environment: Mapping[str, str], keep: str | None = None) -> dict[str, str]:
    """Return the variables that hold no key, login or password, by their names and values.

    Args:
        environment: The variables.
        keep: What names begin with whose secrets the child needs; None = it needs none.
    """
    return {
        name: value
        for name, value in environment.items()
        if (keep is not None and name.startswith(keep)) or not _is_secret(name, value)
    }


def _is_secret(name: str, value: str) -> bool:
    return bool(_NAMED.search(name) or _WITH_PASSWORD.search(value))
