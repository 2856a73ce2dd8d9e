"""The files of a run as the earlier tool wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from backhaul.campaign.legacy.rules import RULES

BENCHMARK_COLUMNS = ("file", "detected", "actual", "conf", "conf_std", "hit")
FOLDERS = ("log", "output", "checkpoints")


def retrain_cfg(config: Mapping[str, Any]) -> str:
    """Return the text of ``retrain.cfg``: a line ``key = value`` for each setting with a key.

    An initial set that was drawn from the data set has no folder; its lists say what it is.

    Args:
        config: The config of a run, as its ``run.json`` has it.
    """
    values = {key: _field(config, rule.here[0]) for key, rule in RULES.items() if rule.here}
    values |= {
        "class_list": "classes.txt",
        "early_stop": values["early_stop"] == "up",
        "multiscale": bool(values["multiscale"]),
        "parallel": (values["parallel"] or 1) > 1,
        **{name: name for name in FOLDERS},
    }
    lines = [f"{key} = {_text(value)}" for key, value in values.items() if value is not None]
    return "".join(f"{line}\n" for line in [*_remarks(config), *lines])


def _remarks(config: Mapping[str, Any]) -> list[str]:
    """Return a comment for each setting of the run that has no key in that file."""
    stop, scale = _field(config, "stopping.kind"), _field(config, "training.multiscale")
    matching, merging = (_field(config, f"{p}.iou_thres") for p in ("evaluation", "inference"))
    unsaid = {
        "bandwidth.bytes": _field(config, "bandwidth.bytes"),
        "stopping.kind": stop if stop not in ("none", "up") else None,
        "training.multiscale": scale or None,
        "evaluation.iou_thres": matching if matching != merging else None,
        "data.kind": kind if (kind := _field(config, "data.kind")) != "folder" else None,
    }
    return [f"# {k} = {v} has no key here" for k, v in unsaid.items() if v is not None]


def _field(config: Mapping[str, Any], path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def earlier_benchmark(table: pd.DataFrame) -> pd.DataFrame:
    """Return a benchmark with the columns that the earlier tool wrote, and no others."""
    return table[list(BENCHMARK_COLUMNS)]
