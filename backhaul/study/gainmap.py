"""The gain map that a study of streams measures, see `backhaul.redundancy.gainmap`.

``python -m backhaul.study.gainmap STUDY FOLDER > backhaul/redundancy/gainmap.csv``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.csvrows import rows_as_csv
from backhaul.data.made import made_set
from backhaul.data.settings import StreamData
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.redundancy.frames import read_frames
from backhaul.redundancy.gainmap import GainMap, Point
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
    known = plan_of(study, rows).complete
    points = [_point(study, name, known, redundancy_of) for name in study.sets]
    try:
        return GainMap(points).points
    except ValueError as error:
        raise InputError(f"sets: {error}") from None


def _point(
    study: StudyConfig,
    name: str,
    rows: Sequence[Row],
    redundancy_of: Callable[[str, int], float],
) -> Point:
    """Return what was measured on a set, by the rows that are complete."""
    data = study.sets[name].data
    if not isinstance(data, StreamData):
        raise InputError(f"sets.{name}.data.kind: expected stream, got {data.kind}")
    summary = summary_of(study, name, "test" if study.seeds.test else "choose", rows)
    found = summary.effects[study.primary_label]
    if not np.isfinite(found.low):
        raise InputError(
            f"sets.{name}: {found.n} seeds have {study.primary_label} and "
            f"{summary.baseline} whole, expected 2 at least that differ"
        )
    seeds = sorted(summary.differences(study.primary_label))
    return Point(
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
        rows=content_digest(sorted(row.inputs for row in rows if row.set == name)),
    )


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


def main() -> None:
    """Print the gain map of a study as CSV, or in one line what is wrong with the input."""
    given = argparse.ArgumentParser(description=main.__doc__)
    given.add_argument("study", type=Path, help="the study, as YAML")
    given.add_argument("folder", type=Path, help="the folder of its table")
    told = given.parse_args()
    try:
        study = load_study(told.study)
        points = gain_map_of(
            study, Table(told.folder).rows(), partial(stream_redundancy, study)
        )
    except InputError as error:
        given.exit(2, f"error: {error}\n")
    sys.stdout.write(rows_as_csv(Point, points))


if __name__ == "__main__":
    main()
