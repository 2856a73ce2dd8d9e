"""What studies measured, as people hand it on: gain maps, and scores of choices."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from numpy.random import Generator

from backhaul.csvrows import rows_as_csv
from backhaul.redundancy.gainmap import Point, read_gain_map
from backhaul.study.scores import SCORES
from backhaul.study.screening import FILE, Screened, read_screening
from fuzzing.reader import Reader
from fuzzing.tree import Tree


def _gain_map(rng: Generator) -> Tree:
    points = [
        Point(
            study="s",
            set=f"s{level}-{empty}",
            arm="diverse",
            level=level,
            empty=empty,
            redundancy=level / 20 + empty / 10,
            gain=float(rng.normal(0, 0.1)),
            low=-0.1,
            high=0.2,
            seeds=3,
            rows="d",
        )
        for level in (1, 4, 16)
        for empty in (0.0, 0.2, 0.5)
    ]
    return {"map.csv": rows_as_csv(Point, points).encode()}


def _read_gain_map(folder: Path) -> Iterable[str]:
    read_gain_map(folder / "map.csv")
    return ()


def _scores(rng: Generator) -> Tree:
    own = {name: None if rng.random() < 0.2 else float(rng.normal()) for name in SCORES}
    place = {"inputs": "d", "set": "digits", "seed": 0, "arm": "iqr", "draw": 0, "budget": "b"}
    one = Screened.model_validate({**place, "n_images": 3, "n_bytes": 900, **own})
    return {FILE: rows_as_csv(Screened, [one]).encode()}


def _read_scores(folder: Path) -> Iterable[str]:
    read_screening(folder)
    return ()


READERS = (
    Reader("gain map", _gain_map, _read_gain_map),
    Reader("screening", _scores, _read_scores),
)
