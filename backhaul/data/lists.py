"""Image lists of an earlier run: its initial set and its batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict

from backhaul.data.imagelists import ImageList, read_list, sample_lists, shown
from backhaul.data.pathindex import PathIndex
from backhaul.data.settings import Batches
from backhaul.data.split import Arrivals
from backhaul.errors import InputError
from backhaul.untrusted import user_path
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits

HOLDOUT = "holdout.txt"
_SHOWN = 5


class Lists(BaseModel):
    """All lists of a run.

    Args:
        train: Initial images to train on.
        valid: Initial images that stopping watches.
        test: Initial images to test on.
        samples: The batches, in order.
        holdout: What was held out, where the run says it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: ImageList
    valid: ImageList
    test: ImageList
    samples: tuple[ImageList, ...]
    holdout: ImageList | None


def read_lists(folder: Path) -> Lists:
    """Return the lists in `folder`: ``init_{train,valid,test}.txt`` and ``sample<b>.txt``.

    A list has one path a line. ``holdout.txt`` is read as well, where there is one.

    Raises:
        InputError: If a list is missing or cannot be read, or if one that is needed is empty.
    """
    folder = user_path(folder)
    lists = Lists(
        train=read_list(folder / "init_train.txt"),
        valid=read_list(folder / "init_valid.txt"),
        test=read_list(folder / "init_test.txt"),
        samples=sample_lists(folder),
        holdout=read_list(folder / HOLDOUT) if os.path.lexists(folder / HOLDOUT) else None,
    )
    for needed in (lists.train, lists.valid, *lists.samples):
        if not needed.paths:
            raise InputError(f"{needed.file}: is empty, expected paths of images, one a line")
    return lists


def play_lists(
    images: ImageSet, lists: Lists, arriving: Batches
) -> tuple[Splits, Arrivals, ImageSet]:
    """Return the initial splits, the arriving images, and the images that are in no list.

    Held out are the images of ``holdout.txt``, or else those of the last `holdout_batches`
    lists. Of the lists before these the first `count` are used as batches; without `count` all,
    except a last one that is smaller than the first, which is a remainder. Sizes are those of
    the lists.

    Args:
        images: The data set.
        lists: The lists of the earlier run.
        arriving: Number of the batches and of those held out.

    Raises:
        InputError: If a path means no image or several, an image is listed twice, an initial
            one has no labels, or there are too few lists.
    """
    numbered, held_out, over = _shares(lists, arriving)
    initial = (lists.train, lists.valid, lists.test)
    rows = _match(images, [*initial, *numbered, *held_out, *over])

    def listed(*parts: ImageList) -> ImageSet:
        chosen = [row for part in parts for row in rows[part.file]]
        table = images.table.iloc[chosen].reset_index(drop=True)
        return ImageSet(table, images.class_names)

    for part in initial:
        _require_labels(listed(part), part)
    unlisted = np.ones(len(images), dtype=bool)
    unlisted[[row for chosen in rows.values() for row in chosen]] = False
    return (
        Splits(*(listed(part) for part in initial)),
        Arrivals(listed(*held_out), tuple(listed(part) for part in numbered), listed(*over)),
        images.where(unlisted),
    )


_Parts: TypeAlias = tuple[ImageList, ...]


def _shares(lists: Lists, arriving: Batches) -> tuple[_Parts, _Parts, _Parts]:
    """Return the lists used as batches, those held out, and those left over."""
    samples, n_held = lists.samples, arriving.holdout_batches
    held_out: _Parts = ()
    if lists.holdout is not None:
        held_out = (lists.holdout,) if n_held else ()
    elif n_held:
        samples, held_out = samples[:-n_held], samples[-n_held:]
    n_played = arriving.count or len(samples)
    if not samples or n_played > len(samples):
        raise InputError(
            f"lists: {arriving.count or 1} batches and {len(held_out)} held out are wanted, "
            f"there are {len(lists.samples)} lists sample<b>.txt; lower batches.count or "
            "holdout_batches"
        )
    smaller = len(samples[-1].paths) < len(samples[0].paths)
    if arriving.count is None and smaller:
        n_played -= 1
    return samples[:n_played], held_out, samples[n_played:]


def _match(images: ImageSet, parts: list[ImageList]) -> dict[Path, list[int]]:
    """Return the rows of `images` that each list names, by the list's file."""
    index = PathIndex(images.table["uri"])
    rows: dict[Path, list[int]] = {}
    known: dict[int, str] = {}
    wrong: list[str] = []
    for part in parts:
        rows[part.file] = []
        for path, place in part.places():
            found, _ = index.find(path)
            if problem := _problem(path, found, images, known):
                wrong.append(f"{place}: {problem}")
                continue
            known[found[0]] = place
            rows[part.file].append(found[0])
    if wrong:
        more = [f"... and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise InputError("\n".join([*wrong[:_SHOWN], *more]))
    return rows


def _problem(path: str, found: list[int], images: ImageSet, known: dict[int, str]) -> str:
    uris = images.table["uri"]
    match found:
        case []:
            return (
                f"{shown(path)} is not in the data set (copies of an image are left out there)"
            )
        case [row]:
            return f"{path} is listed before, in {known[row]}" if row in known else ""
        case _:
            return f"{path} may be {uris.iloc[found[0]]} or {uris.iloc[found[1]]}"


def _require_labels(images: ImageSet, part: ImageList) -> None:
    for labels, (path, place) in zip(images.table["labels"], part.places(), strict=True):
        if labels is None:
            raise InputError(f"{place}: {path} has no labels, an initial image needs them")
