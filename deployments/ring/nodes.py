"""Nodes of the ring: agents in processes of their own, and cameras that scenes stand in for."""

from __future__ import annotations

import hashlib
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.local.service import Service

COMMAND = str(Path(sysconfig.get_path("scripts")) / "backhaul")


@dataclass
class Agent(Service):
    """The agent of a node.

    Args:
        folder: Where its log and pid lie.
        config: Its NODE.yaml.
    """

    config: Path

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"node {self.config.parent.name}"

    @property
    def address(self) -> str:
        """It is reached nowhere."""
        return "no address"

    def command(self) -> list[str]:
        """Return the command."""
        return [COMMAND, "node", "run", str(self.config)]

    def ready(self) -> bool:
        """Return whether it looks at frames."""
        return self.log.exists() and "model" in self.log.read_text()


@dataclass(frozen=True)
class Camera:
    """A folder that pictures come into.

    Args:
        folder: The folder, which a node watches.
    """

    folder: Path

    def take(self, turn: str, pictures: list[Path]) -> None:
        """Let pictures be there, all at once."""
        draft = self.folder.parent / f".{turn}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for picture in pictures:
            shutil.copy(picture, draft)
        self.folder.mkdir(exist_ok=True)
        draft.rename(self.folder / turn)


def settings_of_nodes(window_s: int, window_bytes: int) -> dict[str, Any]:
    """Return what all nodes of the ring have in common in NODE.yaml.

    Args:
        window_s: Length of a window; what was best in it is sent at its end.
        window_bytes: What a node may send in a window.
    """
    policy = {
        "kind": "window",
        "name": "best",
        "method": {"kind": "diverse"},
        "explore": 0.4,
        "suppress": False,
    }
    allowance = {"period": "window", "bytes": window_bytes}
    return {
        "policies": [policy],
        "link": {"window_s": window_s, "allowances": [allowance], "overhead_bytes": 600},
        "status_s": 5,
    }


def change_settings(config: Path, changes: dict[str, Any]) -> None:
    """Change settings of a NODE.yaml; parts of parts are merged."""
    fields = yaml.safe_load(config.read_text())
    for key, value in changes.items():
        fields[key] = {**fields.get(key, {}), **value} if isinstance(value, dict) else value
    config.write_text(yaml.safe_dump(fields))


def digest_of(picture: Path) -> str:
    """Return the name that a node gives a picture that it sends as it is, without suffix."""
    return hashlib.sha256(picture.read_bytes()).hexdigest()
