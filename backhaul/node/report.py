"""What only a node knows of itself, for whoever looks for a fault; without its secrets."""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from backhaul.errors import InputError
from backhaul.node.settings import CameraFrames, NodeConfig
from backhaul.untrusted import one_line
from backhaul.uplink.keys import SEALING, read_keys, read_lines

HIDDEN = "***"
_MOST_LINE = 400
_LEAST_SECRET = 4
"""A shorter text would be found everywhere."""
_IN_ADDRESS = re.compile(
    r"(://[^\s/:@]*:)(\S+)(?=@)|([?&][\w.-]*(?:pass|pwd|token|key|secret|auth)[\w.-]*=)([^&\s]+)",
    re.IGNORECASE,
)
"""Passwords in the address of a camera: before the host, and in its query."""
_PACKAGES = (
    "backhaul",
    "cryptography",
    "httpcore",
    "numpy",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "pydantic",
    "tuf",
)


@dataclass(frozen=True, slots=True)
class Report:
    """How a node is, in detail.

    Args:
        question: Which time home asked.
        config: Its settings.
        status: What it says of itself all the time.
        journal: Frames in its journal, by state.
        log: The last lines of its log, the oldest first.
    """

    question: str
    config: NodeConfig
    status: dict[str, Any]
    journal: dict[str, int]
    log: list[str]

    def packed(self, most_bytes: int, secrets: Iterable[str]) -> bytes:
        """Return it as JSON, compressed by gzip; the oldest lines are left out if it must be.

        Args:
            most_bytes: Most bytes that it may have, compressed.
            secrets: Texts that are hidden wherever they stand.
        """
        fields = {
            "schema": 1,
            "question": self.question,
            "node": self.config.node,
            "status": self.status,
            "settings": self.config.model_dump(mode="json"),
            "journal": self.journal,
            "versions": _versions(),
            "machine": _machine(),
        }
        hidden = sorted(secrets, key=len, reverse=True)
        fields, lines = _without(hidden, fields), _without(hidden, self.log)
        lines = [one_line(each, _MOST_LINE) for each in lines]
        while True:
            data = gzip.compress(json.dumps({**fields, "log": lines}).encode(), mtime=0)
            if len(data) <= most_bytes or not lines:
                return data
            lines = lines[len(lines) // 2 + 1 :]


def secrets_of(config: NodeConfig) -> set[str]:
    """Return what a node knows and nobody else may: keys, and the password of its camera."""
    found = set[str]()
    if config.uplink.kind == "s3":
        try:
            keys = read_keys(config.uplink)
            found |= {keys.secret, keys.token or ""}
            if config.uplink.keys_file is not None:
                found.add(read_lines(config.uplink.keys_file).get(SEALING, ""))
        except InputError:  # they are gone since the start; so nothing can repeat them
            pass
    frames = config.frames
    if isinstance(frames, CameraFrames):
        found.add(os.environ.get(frames.password_variable or "", ""))
        found |= {each[2] or each[4] for each in _IN_ADDRESS.finditer(str(frames.address))}
    return {each for each in found if len(each) >= _LEAST_SECRET}


def _without(secrets: list[str], value: Any) -> Any:
    """Return a JSON value in which no text has one of the secrets, or a password in an URL."""
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, HIDDEN)
            return _IN_ADDRESS.sub(lambda found: f"{found[1] or found[3]}{HIDDEN}", value)
        case dict():
            return {_without(secrets, k): _without(secrets, v) for k, v in value.items()}
        case list() | tuple():
            return [_without(secrets, each) for each in value]
    return value


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
    }
