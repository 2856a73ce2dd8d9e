"""What a person writes: configs, lists, files of the earlier tool."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from numpy.random import Generator

from backhaul.campaign.configfile import load_config
from fuzzing.mutation import pick
from fuzzing.reader import Reader
from fuzzing.tree import Tree

_CONFIGS = Path(__file__).parents[2] / "configs"


def _config(rng: Generator) -> Tree:
    path = pick(sorted(_CONFIGS.glob("*.yaml")), rng)
    return {"config.yaml": path.read_bytes()}


def _load_config(folder: Path) -> Iterable[str]:
    load_config(folder / "config.yaml")
    return ()


READERS = (Reader("config", _config, _load_config),)
