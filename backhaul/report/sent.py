"""What each method sent, on the page: its counts, and a contact sheet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from backhaul.analysis.sent import (
    BY_LIKENESS,
    COUNTS,
    Describe,
    sent_images,
    sent_table,
)
from backhaul.arrays import Float32Array
from backhaul.campaign.run import SampledBatch
from backhaul.look.descriptors import describe_content
from backhaul.measure.statistics import estimates
from backhaul.report.campaign import Campaign
from backhaul.report.cells import Cell, Table
from backhaul.report.sheets import Sheet, Shrunk, contact_sheet
from backhaul.report.shrinking import Fetch, read_picture
from backhaul.report.wording import mean_count, size
from backhaul.storage.addresses import is_local

MOST_PICTURES = 240  # of all sheets
MOST_OF_SHEET = 60
MOST_IMAGES = 1000  # that are compared by likeness, a page: some seconds

HEAD = (
    "method",
    "batch",
    "images",
    "distinct scenes",
    "repeats, same batch",
    "repeats of earlier batches",
    "empty",
    "bytes",
)


@dataclass(frozen=True, slots=True)
class SentImages:
    """What was sent, as it is known without a page.

    Args:
        of_seeds: What `backhaul.analysis.sent.sent_images` returns, for each run.
        counts: What `backhaul.analysis.sent.sent_table` returns of all, with the column seed.
    """

    of_seeds: tuple[pd.DataFrame, ...]
    counts: pd.DataFrame


@dataclass(frozen=True, slots=True)
class SentSection:
    """The section.

    Args:
        table: The counts by method and batch; of several seeds, means.
        sheets: One for each method that sent anything; pictures are those of the first seed.
        by_likeness: Whether scenes are known by what images look like.
        from_batch: The first batch that is counted.
        study: Address of the page on studies; empty where it is not beside the run.
    """

    table: Table
    sheets: tuple[Sheet, ...]
    by_likeness: bool
    from_batch: int
    study: str


def all_sent(campaign: Campaign, fetch: Fetch | None) -> SentImages:
    """Return what each method of a campaign sent, of the last batches if there are many images.

    Args:
        campaign: The runs that the page shows.
        fetch: Reads images in object stores; None = they are not looked at.
    """
    most = MOST_IMAGES // len(campaign.runs)
    images = tuple(
        sent_images(_latest(run.batches, most), _describe(Path(run.place), fetch))
        for run in campaign.runs
    )
    tables = [
        sent_table(each).assign(seed=seed)
        for seed, each in zip(campaign.seeds, images, strict=True)
    ]
    return SentImages(images, pd.concat(tables, ignore_index=True))


def sent_section(
    campaign: Campaign, sent: SentImages, colours: Mapping[str, str], shrunk: Shrunk
) -> SentSection:
    """Return the section on what was sent.

    Args:
        campaign: The runs that the page shows.
        sent: What was sent in them.
        colours: Colour of each method.
        shrunk: Returns the thumbnail of an image.
    """
    counts, first = sent.counts, sent.of_seeds[0]
    labels = [label for label in campaign.labels if label in set(counts["method"])]
    room = min(MOST_OF_SHEET, MOST_PICTURES // max(len(labels), 1))
    return SentSection(
        table=_table(counts, colours),
        sheets=tuple(
            contact_sheet(
                label,
                colours[label],
                counts[counts["method"] == label],
                first[first["method"] == label],
                shrunk,
                room,
            )
            for label in labels
        ),
        by_likeness=bool(counts["scenes_by"].eq(BY_LIKENESS).any()),
        from_batch=int(counts["batch"].min()) if len(counts) else 0,
        study=_study(campaign.place),
    )


def _latest(batches: Sequence[SampledBatch], most: int) -> list[SampledBatch]:
    """Return the last batches of all methods that have no more than `most` images, or one."""
    files: set[str] = set()
    first = max((played.batch for played in batches), default=0)
    for batch in range(first, -1, -1):
        files.update(file for each in batches if each.batch == batch for file in each.sent)
        if len(files) > most:
            break
        first = batch
    return [played for played in batches if played.batch >= first]


def _describe(folder: Path, fetch: Fetch | None) -> Describe:
    @cache  # several methods send the same images
    def describe(file: str) -> Float32Array | None:
        content = read_picture(file, folder, fetch)
        return None if content is None else describe_content(content)

    return describe


def _table(counts: pd.DataFrame, colours: Mapping[str, str]) -> Table:
    """Show the counts by method and batch; of several seeds, their means."""
    means = estimates(counts, ["method", "batch"], COUNTS)
    *numbers, n_bytes = COUNTS
    rows = tuple(
        (
            Cell(str(method), words=True, colour=colours[str(method)]),
            Cell(str(batch)),
            *(Cell(mean_count(means.at((method, batch), name)[0])) for name in numbers),
            Cell(size(means.at((method, batch), n_bytes)[0])),
        )
        for method, batch in means.mean.index
    )
    return Table(HEAD, rows)


def _study(place: str) -> str:
    """Return the address of the page on studies from a run's folder in this checkout."""
    checkout = Path(__file__).resolve().parents[2]
    page = checkout / "docs" / "study.md"
    if not is_local(place) or not page.exists():
        return ""
    folder = Path(place).resolve()
    return os.path.relpath(page, folder) if folder.is_relative_to(checkout) else ""
