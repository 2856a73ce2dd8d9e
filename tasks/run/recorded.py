"""A run that is there, opened to be analysed: its records, and the parts of its config."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.analysis.series import Arrivals, Played
from backhaul.config import Evaluation, Inference
from backhaul.errors import InputError, MissingObjectError
from backhaul.rundata import INIT
from backhaul.storeroot import INTERNAL, store_of
from tasks.run.records import RoundRecord, read_records, read_setting
from tasks.run.setting import Setting
from tasks.stages import Step
from tasks.storage.places import is_local, resolve
from tasks.storage.store import exists_at, read_uri

M = TypeVar("M", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Training(_Part):
    img_size: int
    device: str
    threads: int


class _Batches(_Part):
    holdout_batches: int


class _Labelling(_Part):
    source: Any


class RunConfig(_Part):
    """The parts of a run's config that tell how to look at images.

    The rest is left alone: a method or data set of the user's may be gone by now.
    """

    seed: int
    parallel: int
    batches: _Batches
    training: _Training
    inference: Inference
    evaluation: Evaluation
    labelling: _Labelling


class _RunFile(_Part):
    name: str
    config: RunConfig
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordedRun:
    """What a campaign left that can be measured again.

    Args:
        root: Root of the store that the run's folder lies in.
        config: Parts of its config.
        setting: What all methods were put through.
        records: The initial training, then the rounds, method after method, by batch.
    """

    root: str
    config: RunConfig
    setting: Setting
    records: tuple[RoundRecord, ...]

    @property
    def rounds(self) -> tuple[Played, ...]:
        """The checkpoints after each round."""
        return tuple(
            Played(method=record.method, batch=record.batch, past=record.standing.checkpoints)
            for record in self.records
        )

    @property
    def labels_exist(self) -> bool:
        """Whether labels are those of the data set: the truth of all images is known."""
        return bool(self.config.labelling.source == "existing")

    @property
    def arrivals(self) -> Arrivals:
        """What arrives in the campaign."""
        return Arrivals(len(self.setting.batches), self.config.batches.holdout_batches)

    def step(self, method: str = "", batch: int | None = None) -> Step:
        """Return a step of an analysis of the run."""
        return Step(
            root=self.root,
            seed=self.config.seed,
            method=method,
            batch=batch,
            device=self.config.training.device,
            threads=self.config.training.threads,
        )


def open_recorded(folder: str, methods: tuple[str, ...]) -> RecordedRun:
    """Return what the run in `folder` left of the initial training and of these methods.

    The store may have been moved with the run since.

    Args:
        folder: Folder of the run, or its s3:// address.
        methods: Labels of the methods.

    Raises:
        InputError: If there is no run with rounds, it does not lie in its store, or a block
            that its images are read by is gone.
    """
    try:
        about = _RunFile.model_validate_json(read_uri(f"{folder}/run.json"))
    except MissingObjectError:
        raise InputError(f"{folder}/run.json: is not there; expected a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{folder}/run.json: {key}: {first['msg']}") from None
    for address in about.blocks:
        resolve(address)  # takes up its keys
    root = store_of(folder, about.name)
    place = {label: i for i, label in enumerate((INIT, *methods))}
    found = [record for record in read_records(folder) if record.method in place]
    records = sorted(found, key=lambda record: place[record.method])
    if not records:
        raise InputError(f"{folder}: no rounds there yet: expected a trained initial model")
    return RecordedRun(
        root=root,
        config=about.config,
        setting=relocated(read_setting(folder), root),
        records=tuple(relocated(record, root) for record in records),
    )


def relocated(value: M, root: str) -> M:
    """Return `value` with its artifacts where they lie in the store at `root` now."""

    def walk(item: Any) -> Any:
        match item:
            case {"uri": str(uri), "sha256": _}:
                return item | {"uri": moved(uri, root)}
            case dict():
                return {key: walk(each) for key, each in item.items()}
            case list():
                return [walk(each) for each in item]
        return item

    return type(value).model_validate(walk(json.loads(value.model_dump_json())))


def moved(uri: str, root: str) -> str:
    """Return where something in a store lies now that the root of the store is `root`."""
    below = re.fullmatch(rf".*/{re.escape(INTERNAL)}/(.*)", uri)
    here = f"{root}/{INTERNAL}/{below[1]}" if below else uri
    if here == uri or exists_at(here):
        return here
    return here if is_local(uri) and not exists_at(uri) else uri
