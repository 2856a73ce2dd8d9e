"""Addresses of stores and data sets: folders of this machine, and others with a scheme."""

from __future__ import annotations

from pathlib import Path


def absolute(root: str) -> str:
    """Return `root` as an absolute path or address, independent of the working directory."""
    return root.rstrip("/") if "://" in root else Path(root).resolve().as_posix()


def is_local(uri: str) -> bool:
    """Return whether `uri` is a path on this machine."""
    return "://" not in uri
