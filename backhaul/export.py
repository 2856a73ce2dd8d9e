"""The files of a run as the earlier tool wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from backhaul.legacy.rules import RULES

BENCHMARK_COLUMNS = ("file", "detected", "actual", "conf", "conf_std", "hit")
FOLDERS = ("log", "output", "checkpoints")


def retrain_cfg(config: Mapping[str, Any]) -> str:
    """Return the text of ``retrain.cfg``: a line ``key = value`` for all that has one there.

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
    return "".join(f"{k} = {_text(v)}\n" for k, v in values.items() if v is not None)


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
