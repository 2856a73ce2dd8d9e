"""The gain map that a study of streams measures, see `backhaul.redundancy.gainmap`.

``python -m backhaul.study.gainmap STUDY FOLDER > backhaul/redundancy/gainmap.csv``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.data.made import made_set
from backhaul.data.settings import StreamData
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.redundancy.frames import read_frames
from backhaul.redundancy.gainmap import GainMap, Point, gain_map_csv
from backhaul.redundancy.measures import measures_of
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.study.design import plan_of
from backhaul.study.rows import Row, Table
from backhaul.study.settings import StudyConfig
from backhaul.study.studyfile import load_study
from backhaul.study.summary import summary_of

DIGITS = 4
"""Decimals of what is measured."""


def gain_map_of(
    study: StudyConfig, rows: Sequence[Row], redundancy_of: Callable[[str, int], float]
) -> tuple[Point, ...]:
    """Return what the primary arm won over the baseline on each set of a study.

    Args:
        study: The study; its sets are streams that differ in bursts and empty frames.
        rows: All rows of its table.
        redundancy_of: Returns the share of near-duplicates in the stream of a set and a seed.

    Raises:
        InputError: If a set is no stream, its rows are not enough for an interval, or the sets
            are no grid.
    """
    plan = plan_of(study, rows)
    role: Any = "test" if study.seeds.test else "choose"
    points = []
    for name in study.sets:
        data = study.sets[name].data
        if not isinstance(data, StreamData):
            raise InputError(f"sets.{name}.data.kind: expected stream, got {data.kind}")
        summary = summary_of(study, name, role, plan.complete)
        found = summary.effects[study.primary_label]
        if not np.isfinite(found.low):
            raise InputError(
                f"sets.{name}: {found.n} seeds have {study.primary_label} and "
                f"{summary.baseline} whole, expected 2 at least that differ"
            )
        seeds = sorted(summary.differences(study.primary_label))
        own = sorted(row.inputs for row in plan.complete if row.set == name)
        point = Point(
            study=study.name,
            set=name,
            arm=study.primary_label,
            level=data.bursts.most,
            empty=data.empty,
            redundancy=_short(np.mean([redundancy_of(name, seed) for seed in seeds])),
            gain=_short(found.mean),
            low=_short(found.low),
            high=_short(found.high),
            seeds=found.n,
            rows=content_digest(own),
        )
        points.append(point)
    try:
        return GainMap(points).points
    except ValueError as error:
        raise InputError(f"sets: {error}") from None


def _short(value: Any) -> float:
    return round(float(value), DIGITS)


def stream_redundancy(study: StudyConfig, name: str, seed: int) -> float:
    """Return the share of near-duplicates in a stream's frames; it is made if needed."""
    campaign = study.campaign(name, seed)
    if not isinstance(campaign.data, StreamData):
        raise InputError(f"sets.{name}.data.kind: expected stream, got {campaign.data.kind}")
    made = made_set(campaign.data, seed, campaign.store)
    made.make(lambda done, total: None)
    frames = read_frames(Path(made.folder.root), lambda done, total: None)
    arrived = [row for row, path in enumerate(frames.paths) if "_stream_" in Path(path).name]
    return measures_of(frames.take(arrived), NEAR).redundancy


def main(file: Path, folder: Path) -> None:
    """Print the gain map of a study as CSV.

    Args:
        file: The study.
        folder: The folder of its table.
    """
    study = load_study(file)
    points = gain_map_of(
        study, Table(folder).rows(), lambda name, seed: stream_redundancy(study, name, seed)
    )
    sys.stdout.write(gain_map_csv(points))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
