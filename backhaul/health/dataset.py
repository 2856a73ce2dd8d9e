"""Are the data sets of a campaign there, and do they have enough for its splits and batches?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from backhaul.arrays import IntArray
from backhaul.campaign.config import CampaignConfig
from backhaul.data.arrangement import (
    arrange,
    arrange_stream,
    draw_from,
    join,
    labelled,
    playable,
)
from backhaul.data.formats.files import read_names
from backhaul.data.images import OnProgress
from backhaul.data.lists import Lists, play_lists, read_lists
from backhaul.data.made import made_set
from backhaul.data.memory import machine_memory
from backhaul.data.settings import Data, FolderData, InboxData, MadeData, StreamData
from backhaul.data.source import read_anywhere
from backhaul.data.split import Arrivals, batches, split
from backhaul.errors import InputError
from backhaul.health.faults import Fault, Resolve, faults_of
from backhaul.link.state import LinkState, bandwidth_in_window
from backhaul.randomness import generator
from backhaul.storage.addresses import is_local
from backhaul.storage.places import filesystem
from backhaul.storage.scratch import scratch_folder
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits

_N_NAMED = 5  # classes that a fault names
_FEW_UNITS = 3
"""With fewer images or groups, there is not one of a class for each part of the initial set."""


@dataclass(frozen=True, slots=True)
class Found:
    """A data set that was looked at.

    Args:
        images: Its images; None if they could not be read.
        faults: What is wrong with it.
    """

    images: ImageSet | None
    faults: tuple[Fault, ...]


def look_at(
    key: str,
    data: Data,
    seed: int,
    resolve: Resolve,
    bar: Callable[[str], OnProgress],
    *,
    whole: bool,
) -> Found:
    """Return the images of a data set, and all that would keep a campaign from reading them.

    Nothing is written but a scratch folder for a data set that is made.

    Args:
        key: Key of the data set in the config.
        data: The data set.
        seed: Of the campaign.
        resolve: Returns where an address is.
        bar: Returns what is called as images are read.
        whole: Whether the images are read, not only looked for.
    """
    if isinstance(data, InboxData):
        return Found(None, ())
    if isinstance(data, MadeData):
        return _look_at_made(key, data, seed, resolve, bar, whole=whole)
    faults = [*_place(key, data, resolve), *_names(key, data)]
    if faults or not whole:
        return Found(None, tuple(faults))
    try:
        opened = data.model_copy(update={"root": resolve(data.root)})
        with machine_memory() as memory:
            bars = bar("reading images"), bar("fetching labels")
            report = read_anywhere(opened, *bars, memory)
        report.require_clean()
    except InputError as error:
        return Found(None, tuple(faults_of(f"{key}.root", error)))
    warnings = [problem for problem in report.problems if problem.severity == "warning"]
    told: tuple[Fault, ...] = ()
    if warnings:
        first = f"{len(warnings)} warnings, the first: {warnings[0]}"
        told = (Fault(f"{key}.root", f"{first}; `backhaul data check` lists all", "warning"),)
    return Found(report.images, told)


def _look_at_made(
    key: str,
    data: MadeData,
    seed: int,
    resolve: Resolve,
    bar: Callable[[str], OnProgress],
    *,
    whole: bool,
) -> Found:
    told: tuple[Fault, ...] = ()
    if isinstance(data, StreamData) and isinstance(data.of, FolderData):
        scenes = look_at(f"{key}.of", data.of, seed, resolve, bar, whole=whole)
        if any(fault.severity == "error" for fault in scenes.faults):
            return scenes
        told = scenes.faults
        of = data.of.model_copy(update={"root": resolve(data.of.root)})
        data = data.model_copy(update={"of": of})
    try:
        return Found(_made(data, seed) if whole else None, told)
    except InputError as error:
        return Found(None, (*told, *faults_of(key, error)))


def _made(data: MadeData, seed: int) -> ImageSet:
    with scratch_folder() as folder:
        made = made_set(data, seed, folder.as_posix())
        nothing: OnProgress = lambda done, total: None  # noqa: E731
        made.make(nothing)
        return read_anywhere(made.folder, nothing, nothing).images


def _place(key: str, data: FolderData, resolve: Resolve) -> Iterator[Fault]:
    try:
        root = resolve(data.root)
        if is_local(root):
            if not Path(root).is_dir():
                yield Fault(f"{key}.root", f"no folder at {data.root}")
            return
        fs, path = filesystem(root)
        if not fs.exists(path):
            yield Fault(f"{key}.root", f"nothing at {data.root}")
    except InputError as error:
        yield from faults_of(f"{key}.root", error)
    except Exception as error:  # whatever the libraries of a service raise
        yield Fault(f"{key}.root", f"{data.root}: {' '.join(str(error).split())}")


def _names(key: str, data: FolderData) -> Iterator[Fault]:
    if data.names is None:
        return
    try:
        read_names(data.names)
    except InputError as error:
        yield Fault(f"{key}.names", str(error))


def look_at_lists(folder: Path | None) -> tuple[Lists | None, tuple[Fault, ...]]:
    """Return the lists that say what is initial and what arrives when, and their faults."""
    if folder is None:
        return None, ()
    try:
        return read_lists(folder), ()
    except InputError as error:
        return None, (Fault("lists", str(error)),)


def look_at_arrangement(
    config: CampaignConfig, images: ImageSet | None, own: ImageSet | None, lists: Lists | None
) -> Iterator[Fault]:
    """Yield what keeps the images from being divided as the campaign divides them.

    The draws are those of the run, for each of its seeds.

    Args:
        config: The campaign.
        images: Its data set; None = images arrive in an inbox.
        own: Data of the initial set's own; None = it is drawn from `images`.
        lists: Lists that say what is initial and what arrives when; None = it is drawn.
    """
    try:
        everything = _everything(images, own)
    except InputError as error:
        yield from faults_of("initial.data", error)
        return
    told: set[Fault] = set()
    for each in config.each_seed:
        for fault in _of_one_seed(each, everything, images, own, lists):
            if fault not in told:
                told.add(fault)
                yield fault


def _everything(images: ImageSet | None, own: ImageSet | None) -> ImageSet:
    if images is None:
        assert own is not None  # noqa: S101 - the config of an inbox was checked for it
        return labelled(own)
    return images if own is None else join(images, own)[0]


def _of_one_seed(
    config: CampaignConfig,
    everything: ImageSet,
    images: ImageSet | None,
    own: ImageSet | None,
    lists: Lists | None,
) -> Iterator[Fault]:
    arrivals: Arrivals | None
    try:
        if lists is not None:
            splits, arrivals, _ = play_lists(everything, lists, config.batches)
        else:
            first, arrivals = _drawn(config, everything, images, own)
            rng = generator(config.seed, "split", "initial")
            splits = split(first, config.initial.fractions, rng)
    except InputError as error:
        yield from faults_of("lists" if lists else "initial.images", error)
        if str(error).startswith("initial.images") and images is not None:
            yield from _batches_at_best(config, everything)
        return
    yield from _splits(config, splits, everything)
    if arrivals is not None:
        yield from _bandwidth(config, arrivals)


def _drawn(
    config: CampaignConfig,
    everything: ImageSet,
    images: ImageSet | None,
    own: ImageSet | None,
) -> tuple[ImageSet, Arrivals | None]:
    rng = partial(_rng, config.seed)
    if images is None:
        return draw_from(everything, config.initial, rng("initial"))[0], None
    candidates = playable(everything, config.labelling)
    draw = arrange_stream if isinstance(config.data, StreamData) else arrange
    drawn = draw(candidates, own, config.initial, config.batches, rng)
    return drawn.first, drawn.arrivals


def _rng(seed: int, name: str) -> np.random.Generator:
    """Return the generator of a stage before any batch, as the stages have it."""
    return generator(seed, name, "initial")


def _batches_at_best(config: CampaignConfig, everything: ImageSet) -> Iterator[Fault]:
    """Yield what keeps batches from being drawn even if no image were initial."""
    pool = playable(everything, config.labelling)
    try:
        batches(pool, config.batches, _rng(config.seed, "batches"))
    except InputError as error:
        yield from faults_of("batches", error)


def _splits(config: CampaignConfig, splits: Splits, everything: ImageSet) -> Iterator[Fault]:
    key = "initial.images" if config.lists is None else "lists"
    n_initial = sum(len(part) for part in (splits.train, splits.valid, splits.test))
    for name, part in (("train", splits.train), ("valid", splits.valid)):
        if not len(part):
            text = f"none of the {n_initial} initial images is left for {name}; take more"
            yield Fault(key, text)
    if not len(splits.test):
        yield Fault("initial", f"none of the {n_initial} images is a test image", "warning")
    if len(splits.train):
        yield from _classes(config, splits.train, everything)


def _classes(config: CampaignConfig, train: ImageSet, everything: ImageSet) -> Iterator[Fault]:
    names = np.array(everything.class_names, dtype=object)
    anywhere = everything.labelled().presence().any(axis=0)
    trained = train.presence().any(axis=0)
    key = "initial.images" if config.lists is None else "lists"
    given = config.start is not None or config.initial.data is not None
    mendable = _n_units(everything) >= _FEW_UNITS if not given else np.zeros(len(names), bool)
    absent = anywhere & ~trained
    if missing := names[absent & mendable].tolist():
        yield Fault(
            key,
            f"no object to train on of {_named(missing)}, seed {config.seed}: take more "
            "initial images, or another seed",
        )
    if missing := names[absent & ~mendable].tolist():
        text = f"no object to train on of {_named(missing)}, seed {config.seed}"
        yield Fault(key, text, "warning")
    if unknown := names[~anywhere].tolist():
        text = f"no object at all of {_named(unknown)}"
        yield Fault("data.names", text, "warning")


def _n_units(images: ImageSet) -> IntArray:
    """Return how many images, or groups of them, show each class."""
    table = images.labelled().table
    unit = table["group"].fillna(table["image_id"]).to_numpy()
    shown = pd.DataFrame(images.labelled().presence()).groupby(unit).any()
    return shown.sum().to_numpy(dtype=np.int64)


def _named(classes: list[str]) -> str:
    shown = ", ".join(repr(name) for name in classes[:_N_NAMED])
    more = f" and {len(classes) - _N_NAMED} more" if len(classes) > _N_NAMED else ""
    return f"class {shown}{more}" if len(classes) == 1 else f"classes {shown}{more}"


def _bandwidth(config: CampaignConfig, arrivals: Arrivals) -> Iterator[Fault]:
    own = config.bandwidth
    key, limit = "bandwidth.bytes", own.bytes
    if own.link is not None:
        first = bandwidth_in_window(own, own.link, LinkState()).bytes
        key, limit = (key, limit) if first == limit else ("bandwidth.link", first)
    sizes = [part.table["size_bytes"].min() for part in arrivals.numbered if len(part)]
    if config.uplink is not None or limit is None or not sizes:
        return
    if limit < (least := min(sizes) + own.overhead_bytes):
        text = f"{limit} bytes; the smallest image has {least}: nothing could be sent"
        yield Fault(key, text, "warning")
