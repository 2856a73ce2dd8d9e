"""What a node looks with and chooses by: as its own settings say, or as home published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backhaul.link.settings import Link
from backhaul.node.policies import AnyPolicy
from backhaul.node.settings import NodeConfig


@dataclass(frozen=True, slots=True)
class Setup:
    """What a node looks with and chooses by.

    Args:
        model: File of the model.
        sha256: Digest that it must have; empty = any.
        policies: How frames are chosen.
        link: What may be sent when.
        release: Digest of the release that says so; empty = the node's own settings.
    """

    model: Path
    sha256: str
    policies: tuple[AnyPolicy, ...]
    link: Link
    release: str = ""


def own_setup(config: NodeConfig) -> Setup:
    """Return what the node's own settings say."""
    return Setup(Path(config.model).expanduser(), "", config.policies, config.link)
