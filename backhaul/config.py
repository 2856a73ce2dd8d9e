"""A campaign as a person writes it: every field with its meaning, unit and default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from backhaul.plugins import UserCode
from backhaul.sampling import Method, NoNewData
from backhaul.types import Bandwidth, Probability

PositiveInt = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class Part(BaseModel):
    """A part of the config: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FolderData(Part):
    """Labelled images in a folder of the user's; nothing is ever written there."""

    kind: Literal["folder"] = "folder"
    root: Path = Field(description="folder of the data set")
    format: Literal["auto", "yolo", "voc", "coco"] = Field(
        "auto", description="how labels are written; auto looks at the folder"
    )
    names: Path | None = Field(
        None, description="file with one class name a line; null = as the data set says"
    )
    group_pattern: str | None = Field(
        None,
        description="regular expression searched in the file name; images in which its first "
        "group matches the same text stay in one split; null = every image for itself",
    )

    @field_validator("root", "names")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("group_pattern")
    @classmethod
    def _check_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
            if groups < 1:
                raise ValueError("expected a pattern with one (group)")
        return value


class DigitsData(Part):
    """Scenes composed of scikit-learn's handwritten digits, written as a YOLO folder."""

    kind: Literal["digits"] = "digits"
    images: PositiveInt = Field(420, description="number of scenes")
    size_px: int = Field(96, ge=48, description="width and height of a scene, pixels")
    seed: int = Field(0, ge=0, description="seed of the scenes, apart from the campaign's")


Data: TypeAlias = Annotated[FolderData | DigitsData, Field(discriminator="kind")]


class SplitFractions(Part):
    """How labelled images are shared out; what is left over is the test set."""

    train: Fraction = Field(description="fraction of images to train on")
    valid: Fraction = Field(description="fraction of images that stopping watches")

    @model_validator(mode="after")
    def _check_rest(self) -> Self:
        if self.train + self.valid >= 1.0:
            raise ValueError("train + valid must be below 1: the rest is the test set")
        return self

    @property
    def fractions(self) -> SplitFractions:
        """The fractions alone, without what a subclass adds."""
        return SplitFractions(train=self.train, valid=self.valid)


class InitialSet(SplitFractions):
    """The labelled set the first detector is trained on, drawn stratified by class."""

    images: PositiveInt = Field(100, description="images of the initial set")
    train: Fraction = Field(0.6, description="fraction of the initial set to train on")
    valid: Fraction = Field(
        0.2, description="fraction of the initial set that stopping watches"
    )


class Batches(SplitFractions):
    """How the other images arrive, and how those that were sent are split."""

    sampling_batch: PositiveInt = Field(100, description="images of one batch of the edge node")
    count: PositiveInt | None = Field(
        None, description="batches to play; null = as many full ones as there are"
    )
    holdout_batches: int = Field(
        1, ge=0, description="batches that are never sampled and join the common test set"
    )
    train: Fraction = Field(0.7, description="fraction of the sent images to train on")
    valid: Fraction = Field(
        0.15, description="fraction of the sent images that stopping watches"
    )


class Augmentation(Part):
    """Copies of training images, made once before a training."""

    images_per_class: PositiveInt | None = Field(
        None,
        description="images that should contain each class, originals included; null = none",
    )
    major: bool = Field(
        False, description="also shift, scale, rotate, crop and distort (p = 0.9)"
    )
    flip: Literal["none", "horizontal"] = Field(
        "horizontal",
        description="flips among the minor transformations; none for digits or text",
    )
    min_visibility: Probability = Field(
        0.75,
        description="a copy that leaves less than this fraction of a box's area is redrawn",
    )
    pipeline: UserCode | None = Field(
        None, description="module:function that builds the albumentations pipeline; null = ours"
    )


class Training(Part):
    """How the detector is trained (Ultralytics)."""

    resources: ClassVar[frozenset[str]] = frozenset({"device", "n_cpu", "threads"})
    """Fields that say with what it is computed, not what: they enter no cache key."""

    model: str = Field(
        "yolo11n",
        description="model name or YAML (yolov3-tiny, yolo11n, yolo26n, ...), or a .pt",
    )
    max_epochs: PositiveInt = Field(50, description="most epochs of the initial training")
    retrain_max_epochs: PositiveInt | None = Field(
        None, description="most epochs of a retraining; null = max_epochs"
    )
    retrain_from: Literal["last", "best"] = Field(
        "last", description="checkpoint a retraining starts from, and the one that is evaluated"
    )
    img_size: int = Field(640, ge=32, multiple_of=32, description="side of the input, pixels")
    batch_size: PositiveInt = Field(16, description="images of one step")
    gradient_accumulations: PositiveInt = Field(
        1, description="batches whose gradients are summed before the optimizer steps"
    )
    optimizer: Literal["SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop"] = Field(
        "AdamW", description="optimizer"
    )
    lr0: float = Field(0.002, gt=0, description="learning rate at the start of each training")
    lrf: float = Field(
        0.1, gt=0, le=1, description="learning rate at the end, as a fraction of lr0"
    )
    momentum: Probability = Field(0.9, description="momentum, or beta1 of the Adam family")
    weight_decay: float = Field(0.0005, ge=0, description="weight decay")
    warmup_epochs: float = Field(
        1.0, ge=0, description="epochs in which the learning rate rises"
    )
    clip: float = Field(10.0, gt=0, description="greatest norm of the gradient")
    multiscale: float = Field(
        0.0, ge=0, lt=1, description="sides vary by this fraction of img_size; 0 = fixed"
    )
    evaluation_interval: PositiveInt = Field(1, description="epochs between validations")
    checkpoint_interval: PositiveInt = Field(1, description="epochs between checkpoints")
    logs_per_epoch: int = Field(
        0, ge=0, description="times the training loss is logged an epoch"
    )
    online_augmentation: bool = Field(
        False, description="Ultralytics' own mosaic, HSV, flips and erasing while training"
    )
    threads: PositiveInt = Field(2, description="CPU threads of one training")
    n_cpu: int = Field(0, ge=0, description="data loading processes of one training (GPU only)")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|\d+)$",
        coerce_numbers_to_str=True,
        description="auto, cpu, or a GPU's number",
    )
    amp: Literal[False, "bf16"] = Field(False, description="mixed precision on a GPU")

    @property
    def of_one_run(self) -> Training:
        """The settings without those that say how trainings follow one another."""
        return self.model_copy(
            update={"max_epochs": 1, "retrain_max_epochs": None, "retrain_from": "last"}
        )

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        if value.endswith(".pt") and not Path(value).expanduser().is_file():
            raise ValueError("no checkpoint there, and weights are never downloaded")
        return str(Path(value).expanduser())


class NoStopping(Part):
    """Train for all epochs."""

    kind: Literal["none"] = "none"


class UpStopping(Part):
    """UP_s: stop after `successions` strips in a row, each with a higher loss than before."""

    kind: Literal["up"] = "up"
    strip_len: PositiveInt = Field(5, description="epochs of a strip")
    successions: PositiveInt = Field(3, description="strips in a row with an increase")


class GlStopping(Part):
    """GL_alpha: stop when the loss is `alpha` percent above its minimum so far."""

    kind: Literal["gl"] = "gl"
    alpha: float = Field(5.0, gt=0, description="generalisation loss, percent")


class PqStopping(Part):
    """PQ_alpha: stop when generalisation loss over training progress exceeds `alpha`."""

    kind: Literal["pq"] = "pq"
    alpha: float = Field(0.75, gt=0, description="generalisation loss over progress")
    strip_len: Annotated[int, Field(ge=2)] = Field(5, description="epochs of a strip")


class UserStopping(Part):
    """A criterion of the user's: a class with ``stop(train_losses, valid_losses) -> bool``."""

    kind: Literal["user"] = "user"
    criterion: UserCode = Field(description="module:Class")


Stopping: TypeAlias = Annotated[
    NoStopping | UpStopping | GlStopping | PqStopping | UserStopping,
    Field(discriminator="kind"),
]


class Inference(Part):
    """The ensemble of checkpoints that looks at a batch."""

    resources: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    conf_check_num: PositiveInt = Field(5, description="most checkpoints of the ensemble")
    first_epoch_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="checkpoints before this fraction of all epochs so far are left out"
    )
    conf_thres: Probability = Field(0.1, description="least confidence of one checkpoint's box")
    nms_thres: Probability = Field(
        0.5, description="IoU above which non-maximum suppression drops"
    )
    iou_thres: Probability = Field(
        0.5, description="IoU from which boxes are one object in fusion"
    )
    label_from: Literal["mean", "last"] = Field(
        "mean",
        description="class of an object: greatest mean confidence, or the last checkpoint's",
    )
    max_detections: PositiveInt = Field(
        300, description="most boxes of one checkpoint an image"
    )
    batch_size: PositiveInt = Field(16, description="images of one forward pass")


class Labelling(Part):
    """Where the ground truth of sent images comes from."""

    source: Literal["existing"] | UserCode = Field(
        "existing",
        description="existing = the data set's own labels, or module:function (image path -> "
        "boxes or Darknet lines)",
    )


class Mixing(Part):
    """How new images join the old ones for a retraining."""

    retrain_new: float = Field(
        0.5, gt=0, le=1, description="fraction of new images in the mix; the rest is old"
    )


class Evaluation(Part):
    """How detections are matched and counted."""

    iou_thres: Probability = Field(
        0.5, description="IoU from which a detection matches a truth"
    )
    pos_thres: Probability = Field(0.5, description="confidence from which a detection counts")
    conf_floor: Probability = Field(0.001, description="least confidence that enters mAP")


class CampaignConfig(Part):
    """A campaign: one data set, one detector, several sampling methods, batch after batch."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the run and of its folder"
    )
    seed: int = Field(0, ge=0, description="seed of every random choice")
    store: str = Field(
        ".",
        description="root of the store: a folder; it gets runs/NAME, and objects in .backhaul",
    )
    parallel: PositiveInt = Field(2, description="methods that run side by side")
    data: Data
    initial: InitialSet = InitialSet()
    batches: Batches = Batches()
    bandwidth: Bandwidth = Field(description="what one batch may send home")
    methods: tuple[Method, ...] = Field(description="sampling methods to compare")
    control: bool = Field(True, description="also run the control arm no-new-data")
    augmentation: Augmentation = Augmentation()
    training: Training = Training()
    stopping: Stopping = NoStopping()
    inference: Inference = Inference()
    labelling: Labelling = Labelling()
    mixing: Mixing = Mixing()
    evaluation: Evaluation = Evaluation()

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("expected a folder; object stores are not supported yet")
        return str(Path(value).expanduser())

    @property
    def arms(self) -> tuple[Method, ...]:
        """What is run side by side: the methods, and the control arm if there is one."""
        return (*self.methods, NoNewData()) if self.control else self.methods

    @field_validator("methods")
    @classmethod
    def _check_any_method(cls, value: tuple[Method, ...]) -> tuple[Method, ...]:
        if not value:  # min_length would also complain where all that is given is wrong
            raise ValueError("expected at least one")
        return value

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        labels = [method.label for method in self.arms]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(
                f"methods: label {repeated[0]!r} is given twice; set another label"
            )
        reserved = {"init", "sample"} & set(labels)
        if reserved:
            raise ValueError(f"methods: label {min(reserved)!r} is reserved for files of a run")
        return self

    @model_validator(mode="after")
    def _check_strip(self) -> Self:
        strip = getattr(self.stopping, "strip_len", self.training.evaluation_interval)
        if strip % self.training.evaluation_interval:
            raise ValueError(
                "stopping.strip_len must be a multiple of training.evaluation_interval"
            )
        return self
