"""A whole campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from backhaul.campaign.publish import Publish
from backhaul.campaign.triggers import Trigger
from backhaul.data.recipes import Sending, SendOriginal
from backhaul.data.settings import (
    Batches,
    Data,
    FolderData,
    InboxData,
    InitialSet,
    Labelling,
    StreamData,
)
from backhaul.learn.settings import (
    Augmentation,
    Cropping,
    Mixing,
    NoStopping,
    Start,
    Stopping,
    Training,
)
from backhaul.link.settings import LinkedBandwidth
from backhaul.look.settings import Inference
from backhaul.measure.gatesettings import Accept, Always, Gate
from backhaul.measure.settings import Evaluation, Futility
from backhaul.sampling import ArrivedSampling, Method, NoNewData
from backhaul.settings import Part, PositiveInt
from backhaul.untrusted import user_path


class CampaignConfig(Part):
    """A campaign: one data set, one detector, several sampling methods, batch after batch."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/seed\d+)?$",
        max_length=200,
        description="name of the run and of its folder; NAME/seed3 joins the seeds of NAME",
    )
    seed: int = Field(0, ge=0, description="seed of every random choice")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="play the campaign once with each of these seeds; empty = with `seed`"
    )
    store: str = Field(
        ".",
        description="root of the store: a folder, s3://BUCKET/PREFIX, or block://NAME of a "
        "Prefect block with its keys; it gets runs/NAME, and objects in .backhaul",
    )
    execution: Literal["local", "work-pool"] = Field(
        "local",
        description="local = methods run side by side in this process; work-pool = each is a "
        "run of the deployment `method`, on the workers of its pool",
    )
    parallel: PositiveInt = Field(2, description="methods that run side by side, if local")
    queue: str | None = Field(
        None,
        min_length=1,
        description="queue of the work pool whose workers alone may run this campaign, for "
        "example gpu-1; null = whichever is free first",
    )
    restarts: int = Field(
        2,
        ge=0,
        description="how often the run of a method is started again after its process or "
        "machine was lost, on workers",
    )
    keep_checkpoints: Literal["all", "ensemble"] = Field(
        "all",
        description="checkpoints of a run that `backhaul store prune` leaves: all, or those "
        "that the ensembles looked with and that later batches may",
    )
    data: Data
    lists: Path | None = Field(
        None,
        description="folder with lists of images of an earlier run (init_train.txt, "
        "sample0.txt, ...) that say what is initial and what arrives when; null = drawn",
    )
    initial: InitialSet = InitialSet()
    start: Start | None = Field(
        None, description="a trained checkpoint to start from; null = train the initial model"
    )
    batches: Batches = Batches()
    bandwidth: LinkedBandwidth = Field(description="what one batch may send home")
    uplink: str | None = Field(
        None,
        description="name of a Prefect block Uplink that says so in place of `bandwidth`; null "
        "= as `bandwidth` says",
    )
    methods: tuple[Method, ...] = Field(description="sampling methods to compare")
    control: bool = Field(True, description="also run the control arm no-new-data")
    cropping: Cropping = Cropping()
    sending: Sending = SendOriginal()
    augmentation: Augmentation = Augmentation()
    training: Training = Training()
    stopping: Stopping = NoStopping()
    inference: Inference = Inference()
    labelling: Labelling = Labelling()
    mixing: Mixing = Mixing()
    evaluation: Evaluation = Evaluation()
    futility: Futility | None = Field(
        None,
        description="say after each round whether a wished gain over chance is still to be "
        "expected; null = nothing is said",
    )
    publish: Publish | None = Field(
        None, description="which method's models become versions for nodes; null = none"
    )
    triggers: Trigger | None = Field(
        None,
        description="what has to hold before batches that are full are played, all: [...], "
        "any: [...] or one condition (docs/triggers.md); null = they are played at once",
    )
    accept: Accept = Always()

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: str) -> str:
        if value.startswith(("s3://", "block://")):
            return value.rstrip("/")
        if "://" in value:
            raise ValueError("expected a folder, s3://BUCKET/PREFIX or block://NAME")
        return str(user_path(value))

    @field_validator("lists")
    @classmethod
    def _check_lists(cls, value: Path | None) -> Path | None:
        if value is not None:
            user_path(value)
        return value  # as it was written: it is expanded where it is read

    @property
    def arms(self) -> tuple[Method, ...]:
        """The arms that are compared: the methods, and the control arm if there is one."""
        return (*self.methods, NoNewData()) if self.control else self.methods

    @property
    def each_seed(self) -> tuple[CampaignConfig, ...]:
        """One campaign for each seed, each with a folder of its own."""
        return tuple(
            self.model_copy(update={"name": f"{self.name}/seed{k}", "seed": k, "seeds": ()})
            for k in self.seeds
        ) or (self,)

    @property
    def read_from(self) -> dict[str, str]:
        """Addresses of images and of the first checkpoint, by the names of their fields."""
        roots = {f"{key}.root": data.root for key, data in self.folders.items()}
        return roots | ({"start.checkpoint": self.start.checkpoint} if self.start else {})

    @property
    def folders(self) -> dict[str, FolderData]:
        """Data sets of the user's, by the names of their fields."""
        of = self.data.of if isinstance(self.data, StreamData) else None
        sets = {"data": self.data, "data.of": of, "initial.data": self.initial.data}
        return {key: data for key, data in sets.items() if isinstance(data, FolderData)}

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a seed is given twice")
        return value

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
    def _check_futility(self) -> Self:
        labels = [method.label for method in self.methods]
        if self.futility is None:
            return self
        if self.futility.baseline not in labels:
            raise ValueError(
                f"futility.baseline: {self.futility.baseline!r} is none of the methods: "
                f"{', '.join(labels)}"
            )
        if len(labels) == 1:
            raise ValueError("futility: expected a method beside its baseline")
        return self

    @model_validator(mode="after")
    def _check_publish(self) -> Self:
        labels = [method.label for method in self.arms]
        if self.publish is not None and self.publish.method not in labels:
            raise ValueError(
                f"publish.method: {self.publish.method!r} is none of the arms: "
                f"{', '.join(labels)}"
            )
        wants = self.publish or Publish(method="")
        exported = [k for k in ("export", "signing") if getattr(wants, k) is not None]
        if exported and self.training.detector is not None:
            raise ValueError(
                f"publish.{exported[0]}: expected one of Ultralytics' detectors, which alone "
                "can be exported for nodes"
            )
        if self.publish is None and isinstance(self.accept, Gate):
            raise ValueError(
                "accept.kind gate: expected publish.method, the arm whose models it is for"
            )
        signing = None if self.publish is None else self.publish.signing
        if signing is not None and not isinstance(self.data, InboxData):
            raise ValueError("publish.signing: `hourly` publishes: expected data.kind inbox")
        return self

    @model_validator(mode="after")
    def _check_triggers(self) -> Self:
        if self.triggers is not None and not isinstance(self.data, InboxData):
            raise ValueError("triggers: are asked hour by hour: expected data.kind inbox")
        return self

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if self.seeds and "/" in self.name:
            raise ValueError("name: a run of several seeds is not one of the seeds of another")
        return self

    @model_validator(mode="after")
    def _check_arrived(self) -> Self:
        if not any(isinstance(method, ArrivedSampling) for method in self.methods):
            return self
        if not isinstance(self.data, InboxData):
            raise ValueError("methods: arrived is of what nodes sent: expected data.kind inbox")  # noqa: TRY004 - pydantic's
        if self.bandwidth.link is not None or self.bandwidth.per_node:
            raise ValueError(
                "bandwidth: what has arrived has crossed the link: methods of kind arrived "
                "take neither link nor per_node"
            )
        return self

    @model_validator(mode="after")
    def _check_inbox(self) -> Self:
        if not isinstance(self.data, InboxData):
            return self
        if self.initial.data is None:
            raise ValueError("initial.data: an inbox needs a labelled data set to begin with")
        if self.lists is not None or self.seeds or self.cropping.batches != "none":
            raise ValueError("an inbox takes neither lists, seeds nor cropping")
        if not isinstance(self.sending, SendOriginal):
            told = f"sending.kind {self.sending.kind}: what lies in an inbox was sent already"
            raise ValueError(f"{told}; expected original")  # noqa: TRY004 - pydantic's
        return self

    @model_validator(mode="after")
    def _check_strip(self) -> Self:
        strip = getattr(self.stopping, "strip_len", self.training.evaluation_interval)
        if strip % self.training.evaluation_interval:
            raise ValueError(
                "stopping.strip_len must be a multiple of training.evaluation_interval"
            )
        return self
