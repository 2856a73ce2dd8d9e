"""A run that is there, opened to be analysed: its records, and the parts of its config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.analysis.series import Arrivals, Played
from backhaul.campaign.records import RoundRecord, read_records, read_setting
from backhaul.campaign.relocation import relocated
from backhaul.campaign.rundata import INIT
from backhaul.campaign.setting import Setting
from backhaul.code import UserCode
from backhaul.errors import InputError, MissingObjectError
from backhaul.layout import store_of
from backhaul.look.settings import Inference
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_uri


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Training(_Part):
    img_size: int
    device: str
    threads: int
    detector: UserCode | None = None


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
        blocks: The addresses of its images that name blocks, by which their keys are found.
    """

    root: str
    config: RunConfig
    setting: Setting
    records: tuple[RoundRecord, ...]
    blocks: tuple[str, ...]

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
        blocks=about.blocks,
    )
