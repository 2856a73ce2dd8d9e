"""All stages, with an example of everything that they take."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any, get_type_hints

import tasks
from backhaul.code import UserCode
from backhaul.data.imagelists import ImageList
from backhaul.data.lists import Lists
from backhaul.data.recipes import Prepared, SendReencoded
from backhaul.data.settings import Batches, FolderData, InitialSet, Labelling, SplitFractions
from backhaul.learn.export.settings import Export
from backhaul.learn.given import GivenCheckpoint
from backhaul.learn.settings import (
    Augmentation,
    Cropping,
    Mixing,
    NoStopping,
    Stopping,
    Training,
)
from backhaul.link.settings import Link
from backhaul.link.state import LinkState
from backhaul.look.settings import Inference
from backhaul.measure.gatesettings import Comparing
from backhaul.measure.settings import Evaluation
from backhaul.sampling import IqrSampling, Method
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth, NodeBandwidths
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import NodeModel, Offered
from tasks.evaluation import TestSets
from tasks.gate import Common
from tasks.stage import Stage, Step

ARTIFACT = Artifact(uri="/store/.backhaul/objects/aa/a.parquet", sha256="a" * 64)
CHECKPOINT = Checkpoint(epoch=3, artifact=ARTIFACT)
STEP = Step(root="/store", seed=7, batch=2)
LIST = ImageList(file=Path("list.txt"), paths=("images/a.jpg",), numbers=(1,))
EXAMPLES: list[tuple[Any, Any]] = [
    (Artifact, ARTIFACT),
    (Artifact | None, ARTIFACT),
    (tuple[Artifact, ...], (ARTIFACT, ARTIFACT)),
    (dict[str, tuple[Artifact, ...]], {"common": (ARTIFACT,)}),
    (Checkpoint, CHECKPOINT),
    (Checkpoint | None, CHECKPOINT),
    (tuple[Checkpoint, ...], (CHECKPOINT,)),
    (tuple[GivenCheckpoint, ...], (GivenCheckpoint(uri="/a.pt", epoch=3, fingerprint="f"),)),
    (Step, STEP),
    (str, "text"),
    (tuple[str, ...], ("one", "two")),
    (int, 96),
    (float, 0.25),
    (tuple[float, ...], (0.25, 0.5)),
    (dict[str, Artifact], {"old": ARTIFACT, "new": ARTIFACT}),
    (Augmentation, Augmentation(images_per_class=5)),
    (Bandwidth | NodeBandwidths, Bandwidth(images=3)),
    (Link, Link(uplink_kbit_s=64)),
    (LinkState, LinkState(window=1)),
    (Artifact | Offered, ARTIFACT),
    (Offered, Offered(captured=ARTIFACT, images=ARTIFACT, sources=ARTIFACT)),
    (Prepared, SendReencoded()),
    (Batches, Batches()),
    (Common, Common(fixed=ARTIFACT, old_test=ARTIFACT)),
    (Comparing, Comparing()),
    (Cropping, Cropping()),
    (Evaluation, Evaluation()),
    (Export, Export()),
    (FolderData, FolderData(root="/data")),
    (Inference, Inference()),
    (InitialSet, InitialSet()),
    (Labelling, Labelling()),
    (
        Lists,
        Lists(train=LIST, valid=LIST, test=LIST, samples=(LIST, LIST), holdout=None),
    ),
    (Method, IqrSampling()),
    (Mixing, Mixing()),
    (
        NodeModel,
        NodeModel(
            file=ARTIFACT, size_bytes=9, img_size=96, epochs=(3,), calibration=None, versions={}
        ),
    ),
    (SplitFractions, SplitFractions(train=0.5, valid=0.25)),
    (Stopping, NoStopping()),
    (TestSets, TestSets(images={"common": ARTIFACT})),
    (Training, Training()),
    (UserCode, UserCode(use="tests.own_code:label")),
]


def all_stages() -> dict[str, Stage[..., Any]]:
    """Return every stage by the name of its function."""
    modules = (
        importlib.import_module(f"tasks.{each.name}")
        for each in pkgutil.iter_modules(tasks.__path__)
    )
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Stage)
    }


def types_of(stage: Stage[..., Any]) -> dict[str, Any]:
    """Return the types of what a stage takes, by parameter."""
    hints = get_type_hints(stage.function, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}


def example_of(kind: Any) -> Any:
    """Return the example of a type."""
    return next(value for known, value in EXAMPLES if known == kind)


def inputs_of(stage: Stage[..., Any]) -> dict[str, Any]:
    """Return an example of all that a stage must be given; the rest is as usual."""
    parameters = stage.policy.signature.parameters
    required = {name for name, each in parameters.items() if each.default is each.empty}
    return {n: example_of(kind) for n, kind in types_of(stage).items() if n in required}
