"""Secrets are generated once, and lie in files that only their owner can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from backhaul.errors import InputError
from backhaul.uplink import privatefile


def secret() -> str:
    """Return a new password of 43 characters that need no quoting in a shell or an URL."""
    return secrets.token_urlsafe(32)


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner can read, at no moment, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    privatefile.write_private(path, text)


def kept_secret(path: Path, before: str = "") -> str:
    """Return the secret in a file; the first time it is made, and follows `before`.

    Raises:
        InputError: If the file is empty: what it locks would be open.
    """
    if not path.exists():
        write_private(path, before + secret())
    kept = path.read_text(encoding="utf-8")
    if not kept.removeprefix(before).strip():
        raise InputError(f"{path}: is empty, expected a secret; remove it, and one is made")
    return kept
