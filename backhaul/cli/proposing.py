"""Look at a data set and this machine, and propose a campaign."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from shlex import quote

from pydantic import ValidationError
from rich.console import Console

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.proposal.effort import BATCH_SIZE
from backhaul.campaign.proposal.facts import facts_of
from backhaul.campaign.proposal.fitting import Measure
from backhaul.campaign.proposal.proposal import Proposal, Wish, propose
from backhaul.cli.data import FormatOrAuto, progress
from backhaul.data.formats import DataReport, detect
from backhaul.data.formats.files import scan
from backhaul.data.memory import machine_memory
from backhaul.data.room import processors
from backhaul.data.settings import FolderData
from backhaul.data.source import read_anywhere
from backhaul.errors import InputError
from backhaul.health.dataset import look_at_arrangement
from backhaul.health.faults import Fault
from backhaul.learn.settings import Training
from backhaul.learn.training.speed import Speed, measure_speed
from backhaul.learn.training.start import require_model
from backhaul.storage.addresses import is_local
from backhaul.storage.folders import plain_place
from backhaul.untrusted import user_path
from backhaul.values.images import ImageSet

MEASURED_IMAGES = 64
"""Images that the trial trains with."""
_MORE = 1.5
"""Times as many initial images are tried where a class would not be trained on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks a campaign for.

    Args:
        place: Folder or address of the data set.
        label_format: Format of its labels; auto looks at the folder.
        names: File of its class names; None = as the data set says.
        minutes: How long the campaign may take on this machine.
        seed: Its seed.
        model: Detector: a name, or a checkpoint.
    """

    place: str
    label_format: FormatOrAuto = "auto"
    names: Path | None = None
    minutes: float = 15.0
    seed: int = 0
    model: str = "yolo11n"


def proposed_for(asked: Asked, name: str) -> Proposal:
    """Return a campaign for the data set at a folder or address.

    Args:
        asked: What is asked for.
        name: Name of the campaign.

    Raises:
        InputError: If there is no data set, its labels are wrong, or it is too small.
    """
    names = None if asked.names is None else user_path(asked.names).absolute()
    root = data_place(asked.place)
    model = _model(asked.model)
    report, data = _read(
        FolderData(root=root, format=asked.label_format, names=names, groups="auto")
    )
    wish = Wish(
        name=name,
        data=data,
        seed=asked.seed,
        minutes=asked.minutes,
        cores=processors(),
        model=model,
    )
    labelled = report.images.labelled()
    some = labelled.take(sorted(labelled.ids)[:MEASURED_IMAGES])  # ids are as good as chance

    def measure(side_px: int) -> Speed:
        training = Training(
            model=wish.model, img_size=side_px, batch_size=BATCH_SIZE, threads=wish.threads
        )
        with Console(stderr=True).status(f"training a few steps with {side_px} px"):
            return measure_speed(some, training)

    proposal = propose_for(report.images, wish, measure)
    told = _about_data(asked.place, report)
    return replace(proposal, warnings=(*told, *proposal.warnings))


def propose_for(images: ImageSet, wish: Wish, measure: Measure) -> Proposal:
    """Return a campaign for a data set, and among its warnings what validate says of it.

    Its initial set is as much larger than usual as it takes for each class to be trained on.
    If none is large enough, it is the usual one.

    Args:
        images: The data set.
        wish: What a person said, and what the machine is.
        measure: Says how fast trainings are.

    Raises:
        InputError: If there are too few labelled images or objects.
    """
    facts, known = facts_of(images), cache(measure)
    proposal = usual = propose(facts, wish, known)
    faults = of_usual = _faults_of_draws(usual.config, images)
    while any(fault.severity == "error" for fault in faults):
        n_initial = proposal.config.initial.images or 0
        proposal = propose(facts, wish, known, ceil(_MORE * n_initial))
        if (proposal.config.initial.images or 0) <= n_initial:
            proposal, faults = usual, of_usual
            break
        faults = _faults_of_draws(proposal.config, images)
    return replace(proposal, warnings=(*map(str, faults), *proposal.warnings))


def _about_data(place: str, report: DataReport) -> list[str]:
    count = sum(problem.severity == "warning" for problem in report.problems)
    if not count:
        return []
    plural = "s" if count > 1 else ""
    return [f"{count} warning{plural} of the data set: see backhaul data check {quote(place)}"]


def _faults_of_draws(config: CampaignConfig, images: ImageSet) -> list[Fault]:
    """Return what `backhaul validate` would say of the draws of a campaign."""
    if isinstance(config.data, FolderData) and config.data.groups is None:
        images = ImageSet(images.table.assign(group=None), images.class_names)
    return list(look_at_arrangement(config, images, None, None))


def _model(name: str) -> str:
    try:
        training = Training(model=name)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"--model {name}: {reason}") from None
    require_model(training)
    return training.model


def data_place(place: str) -> str:
    """Return where a data set lies, as an absolute path or an address.

    Raises:
        InputError: If there is no folder, or it is no data set but a run.
    """
    if "://" in place:
        return place
    folder = user_path(place)
    if folder.is_file():
        raise InputError(f"{place}: is a file, expected the folder of a data set")
    if not folder.is_dir():
        raise InputError(f"{place}: no folder there")
    if (folder / "run.json").is_file():
        raise InputError(f"{place}: is the folder of a run, expected that of a data set")
    return plain_place(folder)


def name_for(place: str) -> str:
    """Return what a campaign for a data set is called: as its folder, in letters of a name.

    Args:
        place: Where the data set lies.
    """
    if "://" in place:
        return as_name(place.rstrip("/").rpartition("/")[2])
    return as_name(user_path(place).resolve().name)


def as_name(text: str) -> str:
    """Return a text as the name of a campaign."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "campaign"


def _read(data: FolderData) -> tuple[DataReport, FolderData]:
    """Return what is found in a data set, and how it was read: with the format of its labels.

    Raises:
        InputError: If it cannot be read, or labels are wrong.
    """
    if is_local(data.root):
        if data.format == "auto":
            data = data.model_copy(update={"format": detect(scan(Path(data.root)))})
        readable = data
    else:
        from backhaul.cli.address import resolved

        readable = data.model_copy(update={"root": resolved(data.root)})
    with progress() as bar, machine_memory() as memory:
        bars = bar("reading images"), bar("fetching labels")
        report = read_anywhere(readable, *bars, memory)
    report.require_clean()
    return report, data
