"""Print how fast we are against peers, as ratios: ``python -m benchmarks``."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import (
    decoding,
    diversity,
    fusion,
    inference,
    likeness,
    methods,
    sampling,
    split,
    utilities,
)

SEED = 0
MODULES = (
    decoding,
    diversity,
    fusion,
    inference,
    likeness,
    methods,
    sampling,
    split,
    utilities,
)


def main(scale: float = 1.0) -> None:
    """Measure everything, with `scale` times the full amounts, and print a table."""
    table = Table(
        "what", "against", "x as fast", "what limits us", title="Backhaul against peers"
    )
    for module in MODULES:
        for row in module.rows(np.random.default_rng(SEED), scale):
            table.add_row(row.name, row.peer, f"{row.ratio:.2f}", row.limit)
    Console().print(table)


if __name__ == "__main__":
    main()
