"""Results of stages: artifacts, and a few numbers that are used without opening them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint


class Drawn(BaseModel):
    """Labelled images of a round that chance drew on nodes, kept for tests alone.

    Args:
        images: The images (`ImageSet`).
        chances: A table of image_id and the probability with which each was drawn.
        n_images: How many there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Artifact
    chances: Artifact
    n_images: int


class Timing(BaseModel):
    """Duration of a stage, whether its result came from the cache, and its cache key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    seconds: float
    cached: bool
    key: str = ""


class LookedUp(BaseModel):
    """A stage that was looked up in the cache, and whether it has a result there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    cached: bool


class Dataset(BaseModel):
    """A data set as it was read.

    Args:
        images: Its images, an `ImageSet`.
        warnings: How many warnings there were.
        digest: What places of its images are stored under; empty if it lies in the store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Artifact
    warnings: int
    digest: str = ""


class Arrangement(BaseModel):
    """Division of a data set into an initial set and batches that arrive from the edge.

    All are `ImageSet`; only the initial set has labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial: Artifact
    batches: tuple[Artifact, ...]
    holdout: Artifact
    leftover: Artifact
    sizes: dict[str, int]


class ListedArrangement(BaseModel):
    """Division of a data set by given lists, which split the initial set as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arrangement: Arrangement
    splits: Artifact


class Offered(BaseModel):
    """Images in the form in which they are sent.

    Args:
        captured: The images as they were captured (`ImageSet`).
        images: The images (`ImageSet` without labels).
        sources: A table of what each was made of (`backhaul.data.versions.SOURCE_COLUMNS`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    captured: Artifact
    images: Artifact
    sources: Artifact


class Sent(BaseModel):
    """The images of a batch that a method sends, and what that costs.

    Args:
        selection: Which images, and why (`Selection`).
        chosen: These images as they were captured (`ImageSet`).
        n_images: How many these are.
        n_bytes: Bytes that are sent.
        pool_images: Images that could have been sent.
        pool_bytes: Bytes that all of them would take.
        versions: The images as they are sent; None = as they were captured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: Artifact
    chosen: Artifact
    n_images: int
    n_bytes: int
    pool_images: int
    pool_bytes: int
    versions: Offered | None = None

    @property
    def as_sent(self) -> Artifact:
        """What arrives at home, is labelled and trained on (`ImageSet`)."""
        return self.chosen if self.versions is None else self.versions.images

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not used, so that earlier versions read it as well."""
        fields: dict[str, Any] = handler(self)
        if self.versions is None:
            del fields["versions"]
        return fields


class TrainingResult(BaseModel):
    """A finished training.

    Args:
        checkpoints: Its checkpoints, oldest first.
        first_epoch: Number of its first epoch.
        epochs: How many epochs it took.
        best_epoch: Epoch of the lowest validation loss that has a checkpoint.
        history: Table with a row an epoch (`EpochRecord`).
        steps: Table of losses within epochs (``logs_per_epoch``).
        stopped_because: Why it ended.
        resumed: Whether it was interrupted and went on.
        n_train: Images trained on, copies included.
        n_valid: Images that stopping watched.
        seconds: Sum of the epochs' wall times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoints: tuple[Checkpoint, ...]
    first_epoch: int
    epochs: int
    best_epoch: int
    history: Artifact
    steps: Artifact
    stopped_because: str
    resumed: bool
    n_train: int
    n_valid: int
    seconds: float

    def epoch(self, which: Literal["last", "best"]) -> int:
        """Return the epoch of the checkpoint that the campaign continues with."""
        return self.best_epoch if which == "best" else self.checkpoints[-1].epoch


class Cropped(BaseModel):
    """Batches of crops.

    Args:
        batches: The crops of each batch (`ImageSet` without labels).
        dataset: The data set, with the labelled crops.
        tables: For each batch a table with a row for each crop: its file, that of its source,
            its corners there in pixels, and class and confidence of what was detected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batches: tuple[Artifact, ...]
    dataset: Artifact
    tables: tuple[Artifact, ...]


class Measured(BaseModel):
    """The metrics of one model.

    Args:
        table: Metrics by test set and class (`backhaul.measure.metrics.metrics`).
        benchmarks: Its benchmark table, by test set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Artifact
    benchmarks: dict[str, Artifact]


class Remeasured(BaseModel):
    """What one checkpoint reaches on validation images, before and after its export.

    Args:
        epoch: Its epoch.
        map50_before: mAP50 of the checkpoint, in [0, 1].
        map50_after: That of the exported model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    map50_before: float
    map50_after: float

    @property
    def drop(self) -> float:
        """By how much mAP50 fell; below 0 if it rose."""
        return round(self.map50_before - self.map50_after, 9)  # .5 - .47 would be above .03


class NodeModel(BaseModel):
    """A model for nodes.

    Args:
        file: The file, of ONNX.
        size_bytes: Its size.
        img_size: Side of its square input, pixels.
        epochs: Epochs of the checkpoints in it, in the order of its outputs.
        calibration: The training images that it was calibrated on (`ImageSet`); None for none.
        versions: Versions of the software that made it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Artifact
    size_bytes: int
    img_size: int
    epochs: tuple[int, ...]
    calibration: Artifact | None
    versions: dict[str, str]


class Reevaluated(BaseModel):
    """What a model for nodes does on labelled validation images.

    Args:
        checkpoints: What each of its checkpoints reaches, in the order of its outputs.
        n_images: How many images there were.
        latency_p50_ms: Median time of a look at one of them on one core, without decoding.
        latency_p95_ms: The time that 95 % of the looks keep to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoints: tuple[Remeasured, ...]
    n_images: int
    latency_p50_ms: float
    latency_p95_ms: float

    @property
    def worst(self) -> Remeasured:
        """The checkpoint whose mAP50 fell most."""
        return max(self.checkpoints, key=lambda each: each.drop)
