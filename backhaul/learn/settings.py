"""How the detector is trained, and when a training stops."""

from __future__ import annotations

import importlib.util
import math
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.code import Code, UserCode
from backhaul.identity import fields_in_keys
from backhaul.learn.darknet import recognise
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.untrusted import user_path

ShareOfNew: TypeAlias = Annotated[float, Field(gt=0, le=1)]
"""Fraction of new images among those of a retraining."""


class Training(Part):
    """How the detector is trained (Ultralytics)."""

    resources: ClassVar[frozenset[str]] = frozenset(
        {"device", "n_cpu", "threads", "mlflow", "trust", "resume_interval"}
    )
    """Fields that say with what it is computed, not what: they enter no cache key."""

    model: str = Field(
        "yolo11n",
        description="model name or YAML (yolov3-tiny, yolo11n, yolo26n, ...), a .pt, or a "
        "Darknet .cfg of a YOLOv3",
    )
    max_epochs: PositiveInt = Field(50, description="most epochs of the initial training")
    retrain_max_epochs: PositiveInt | None = Field(
        None, description="most epochs of a retraining; null = max_epochs"
    )
    steps: PositiveInt | None = Field(
        None,
        description="least optimizer steps of the initial training, as whole epochs, in place "
        "of max_epochs; null = that counts",
    )
    retrain_steps: PositiveInt | None = Field(
        None,
        description="least optimizer steps of a retraining, as whole epochs, in place of "
        "retrain_max_epochs; null = that counts",
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
    resume_interval: PositiveInt = Field(
        1,
        description="epochs between the states that a killed training goes on from; where "
        "epochs are short, saving each takes longer than training",
    )
    logs_per_epoch: int = Field(
        0, ge=0, description="times the training loss is logged an epoch"
    )
    online_augmentation: bool = Field(
        False, description="Ultralytics' own mosaic, HSV, flips and erasing while training"
    )
    threads: PositiveInt = Field(2, description="CPU threads of one training")
    n_cpu: int = Field(0, ge=0, description="data loading processes of one training (GPU only)")
    detector: Code | None = Field(
        None,
        description="module:Class with train and predict, in place of Ultralytics; null = "
        "Ultralytics",
    )
    trust: bool = Field(
        False,
        description="run the code in checkpoints: they may have classes of your own, not "
        "only those of PyTorch and Ultralytics",
    )
    mlflow: bool = Field(
        False, description="log trainings to MLflow, as MLFLOW_TRACKING_URI says"
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|\d+)$",
        coerce_numbers_to_str=True,
        description="auto, cpu, or a GPU's number",
    )
    amp: Literal[False, "bf16"] = Field(False, description="mixed precision on a GPU")

    def key_form(self) -> dict[str, Any]:
        """Return what of it enters cache keys; of a model's file, its name without its folder.

        What is in the file enters by a digest of its own, see `digest_of_model`.
        """
        named = self.model_copy(update={"model": PurePath(self.model).name})
        return fields_in_keys(named)

    @property
    def of_one_run(self) -> Training:
        """The settings without those that say how trainings follow one another."""
        following = {"max_epochs": 1, "retrain_max_epochs": None, "retrain_from": "last"}
        return self.model_copy(update=following | {"steps": None, "retrain_steps": None})

    def initial_epochs(self, n_images: int) -> int:
        """Return the most epochs of an initial training on so many images, at least 1."""
        if self.steps is None:
            return self.max_epochs
        return self._epochs_of(self.steps, n_images)

    def retrain_epochs(self, n_images: int) -> int:
        """Return the most epochs of a retraining on so many images, at least 1."""
        if self.retrain_steps is None:
            return self.retrain_max_epochs or self.max_epochs
        return self._epochs_of(self.retrain_steps, n_images)

    def trial_epochs(self, n_images: int, length: float) -> int:
        """Return the epochs of a trial, a fraction `length` of a retraining's, at least 1."""
        return math.ceil(round(length * self.retrain_epochs(n_images), 9))

    def of_trial(self, epochs: int) -> Training:
        """Return the settings of a trial of so many epochs: it is measured and kept once."""
        once = {"checkpoint_interval": epochs, "evaluation_interval": epochs, "mlflow": False}
        return self.of_one_run.model_copy(update=once)

    def _epochs_of(self, steps: int, n_images: int) -> int:
        batches = max(math.ceil(n_images / self.batch_size), 1)
        return math.ceil(steps * self.gradient_accumulations / batches)

    @field_validator("detector")
    @classmethod
    def _check_detector(cls, value: UserCode | None) -> UserCode | None:
        if value is not None:
            code = value.load()
            missing = [m for m in ("train", "predict") if not callable(getattr(code, m, None))]
            if not isinstance(code, type) or missing:
                raise ValueError(
                    f"{value.use}: expected a class with train and predict"
                    + (f", {' and '.join(missing)} is missing" if missing else "")
                )
            value.require_call("a class that is built with its params")
        return value

    @field_validator("mlflow")
    @classmethod
    def _check_mlflow(cls, value: bool) -> bool:
        return require_mlflow(value)

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.retrain_steps is not None and self.retrain_max_epochs is not None:
            raise ValueError("retrain_steps and retrain_max_epochs: give one of them")
        return self

    @model_validator(mode="after")
    def _check_logger(self) -> Self:
        if self.mlflow and self.detector is not None:
            raise ValueError("mlflow: a detector of your own logs by itself")
        return self

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        if value.endswith(".cfg"):
            return recognise(user_path(value))
        if value.endswith(".pt") and not user_path(value).is_file():
            raise ValueError("no checkpoint there, and weights are never downloaded")
        return str(user_path(value))


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
    criterion: Code = Field(description="module:Class")

    @field_validator("criterion")
    @classmethod
    def _check_criterion(cls, value: UserCode) -> UserCode:
        code = value.load()
        if isinstance(code, type) and not callable(getattr(code, "stop", None)):
            raise ValueError(f"{value.use}: expected a class with stop")  # noqa: TRY004 - pydantic's
        value.require_call("a class that is built with its params")
        return value


Stopping: TypeAlias = Annotated[
    NoStopping | UpStopping | GlStopping | PqStopping | UserStopping,
    Field(discriminator="kind"),
]


class Cropping(Part):
    """Objects that the initial model finds are cut out, and the node sends those instead."""

    batches: Literal["none", "first", "all"] = Field(
        "none", description="batches whose images are replaced by their crops"
    )
    conf_thres: Probability = Field(0.25, description="least confidence of an object")
    margin: float = Field(
        0.0, ge=0, description="border on each side, as a fraction of the object's side"
    )
    min_side_px: PositiveInt = Field(16, description="smaller crops are left out, pixels")
    min_visibility: Probability = Field(
        0.5, description="least fraction of a true box inside a crop for it to be labelled"
    )
    function: Code | None = Field(
        None,
        description="module:function (image path, detections -> boxes to cut out); null = "
        "objects that overlap no other",
    )

    @field_validator("function")
    @classmethod
    def _check_function(cls, value: UserCode | None) -> UserCode | None:
        if value is not None:
            value.require_call("a function of an image's path and its detections", "", "")
        return value


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
    pipeline: Code | None = Field(
        None, description="module:function that builds the albumentations pipeline; null = ours"
    )

    @field_validator("pipeline")
    @classmethod
    def _check_pipeline(cls, value: UserCode | None) -> UserCode | None:
        if value is not None:
            value.require_call("a function that is called with its params alone")
        return value


class Mixing(Part):
    """How new images join the old ones for a retraining."""

    retrain_new: ShareOfNew | Literal["auto"] = Field(
        0.5,
        description="fraction of new images in the mix; the rest is old. auto = the best of "
        "`candidates`, batch by batch, on old and new validation images",
    )
    candidates: tuple[ShareOfNew, ...] = Field(
        (0.25, 0.5, 0.75, 1.0),
        min_length=2,
        description="fractions that auto tries, each with a short training",
    )
    trial_length: float = Field(
        0.25,
        gt=0,
        le=1,
        description="length of such a training, as a fraction of the epochs of the retraining",
    )

    @property
    def least_new(self) -> float:
        """The least fraction of new images that a retraining may have."""
        return min(self.candidates) if self.retrain_new == "auto" else self.retrain_new

    @field_validator("retrain_new", mode="before")
    @classmethod
    def _check_word(cls, value: object) -> object:
        if isinstance(value, str) and value != "auto":
            try:
                return float(value)
            except ValueError:
                raise ValueError("expected a fraction in (0, 1], or auto") from None
        return value

    @field_validator("candidates")
    @classmethod
    def _check_candidates(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a fraction is given twice")
        return value


class Start(Part):
    """A trained checkpoint in place of the initial training."""

    checkpoint: str = Field(
        description="file or s3:// address; older ones named PREFIX_ckpt_EPOCH.pt beside it "
        "join the ensemble"
    )
    epoch: PositiveInt | None = Field(
        None, description="epochs behind it; null = the number that ends its name"
    )

    @field_validator("checkpoint")
    @classmethod
    def _expand_checkpoint(cls, value: str) -> str:
        return value if "://" in value else str(user_path(value).resolve())


def require_mlflow(wanted: bool) -> bool:
    """Return whether MLflow is wanted.

    Raises:
        ValueError: If it is, and is not installed.
    """
    if wanted and importlib.util.find_spec("mlflow") is None:
        raise ValueError("mlflow is not installed: pip install mlflow-skinny, or mlflow")
    return wanted
