"""Turn an IncrementalLearningJob into a campaign that goes on hour by hour."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import yaml

from backhaul.campaign.legacy.rules import file as path
from backhaul.campaign.legacy.rules import number, positive
from backhaul.campaign.sedna.filters import DEFAULT, WHY, method_of, policy_of
from backhaul.campaign.sedna.loop import gate, hot_update, trigger_of_training
from backhaul.campaign.sedna.resources import Document
from backhaul.campaign.sedna.taken import (
    Taken,
    Translation,
    Verdict,
    fraction,
    read,
    taken,
    told,
    translation,
)
from backhaul.errors import InputError
from backhaul.untrusted import one_line

KIND = "IncrementalLearningJob"
STRIDE_PX = 32
SAMPLING_BATCH = 100
"""Images of a batch where no trigger says how many samples are waited for."""


def translate_job(documents: Sequence[Document]) -> Translation:
    """Return the campaign that a job stands for.

    Args:
        documents: The job, and the resources Dataset and Model that it names, if they are at
            hand.

    Raises:
        InputError: If there is no job, or several, or a value cannot be understood.
    """
    job = _job(documents)
    given = list(_settings(job, documents))
    fields = {name: value for each in given for name, value in each.fields.items()}
    sampling_batch = fields.get("batches.sampling_batch", SAMPLING_BATCH)
    defaults = {
        "name": name_from(job.name),
        "data.kind": "inbox",
        "initial.data.kind": "folder",
        "initial.images": None,
        "batches.sampling_batch": sampling_batch,
        "bandwidth.images": sampling_batch,
    }
    rows = [_left(key, text) for key, text in _others(job).items()]
    header = (
        f"Imported from {job.file}, {KIND} {one_line(job.name)}. Behind a value: the field it",
        "came from. docs/coming-from-sedna.md has every field; configs/hourly.yaml the rest.",
    )
    policy = policy_of(method_of(*_filter(job), job.file))
    made = translation([*given, *rows], defaults, header, job.file)
    return replace(made, policy=yaml.safe_dump(policy, sort_keys=False))


def name_from(text: str) -> str:
    """Return a text as the name of a campaign."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "campaign"


def _job(documents: Sequence[Document]) -> Document:
    jobs = [each for each in documents if each.kind == KIND]
    if len(jobs) == 1:
        return jobs[0]
    kinds = ", ".join(one_line(each.kind or "no kind", 60) for each in documents[:9])
    raise InputError(
        f"{documents[0].file if documents else 'no document'}: expected one {KIND}, got "
        f"{len(jobs)} ({kinds or 'nothing'})"
    )


def _settings(job: Document, documents: Sequence[Document]) -> Iterator[Taken]:
    """Yield what becomes of each field that is known, in the order of the job."""
    spec = job.below("spec")
    yield from _dataset(job, documents)
    yield from _initial_model(job, documents)
    if (folder := spec.get("outputDir")) is not None:
        store = read("outputDir", folder, path, job.file)
        yield taken(
            "outputDir", folder, {"store": store}, "root of the store: runs/NAME is there"
        )
    yield from _environment(job)
    yield from trigger_of_training(job.below("spec.trainSpec.trigger"), job.file)
    yield from gate(job.below("spec.deploySpec.trigger"), ARM, job.file)
    yield from hot_update(job.below("spec.deploySpec.model"))
    name, parameters = _filter(job)
    shown = " ".join([name, *(f"{key}={text}" for key, text in parameters.items())])
    yield taken("deploySpec.hardExampleMining", shown, {"methods": [{"kind": ARM}]}, CHOSEN)


def _filter(job: Document) -> tuple[str, dict[str, str]]:
    """Return name and parameters of a job's filter."""
    part = "spec.deploySpec.hardExampleMining"
    return job.fields.get(f"{part}.name", DEFAULT), job.below(f"{part}.parameters")


ARM = "arrived"
"""The arm of an imported job, which trains on all that nodes chose to send; also its label."""
CHOSEN = f"on the node, as there: its policy is a file of its own; {WHY}"


def _named(documents: Sequence[Document], kind: str, name: str) -> Document | None:
    """Return the resource of a kind and name, None if it is not at hand."""
    return next((each for each in documents if (each.kind, each.name) == (kind, name)), None)


def _dataset(job: Document, documents: Sequence[Document]) -> Iterator[Taken]:
    name = job.fields.get("spec.dataset.name", "")
    resource = _named(documents, "Dataset", name)
    root = read("dataset.name", name, path, job.file)
    why = "its url is not at hand: give the file of the Dataset too, or set the folder"
    if resource is not None:
        url = read("Dataset.spec.url", resource.fields.get("spec.url", ""), path, resource.file)
        is_index = "." in url.rpartition("/")[2]
        root = url.rpartition("/")[0] or "." if is_index else url
        why = (
            "labelled images to begin with, in a format of docs/data.md; an index with boxes "
            "in its lines is none. What nodes send comes into inbox/, labels into labels/"
        )
    yield taken("dataset.name", name, {"initial.data.root": root}, why)
    if (share := job.fields.get("spec.dataset.trainProb")) is not None:
        train = read("dataset.trainProb", share, fraction, job.file)
        parts = {"batches.train": train, "batches.valid": round((1 - train) / 2, 6)}
        yield taken("dataset.trainProb", share, parts, SPLIT)


SPLIT = (
    "drawn by class, where the first samples trained there; half of the rest is for stopping, "
    "half is tested on"
)


def _initial_model(job: Document, documents: Sequence[Document]) -> Iterator[Taken]:
    name = job.fields.get("spec.initialModel.name")
    if name is None:
        return
    resource = _named(documents, "Model", name)
    url = "" if resource is None else resource.fields.get("spec.url", "")
    if resource is not None and url.endswith(".pt"):
        checkpoint = read("Model.spec.url", url, path, resource.file)
        yield taken("initialModel.name", name, {"start.checkpoint": checkpoint})
    else:
        why = (
            "a checkpoint of Ultralytics (.pt), or of training.detector, can be started from; "
            "without one the initial model is trained on initial.data"
        )
        yield told("initialModel.name", name, "refused", "start.checkpoint", why)


class Variable(NamedTuple):
    """A field that an environment variable of Sedna's examples becomes."""

    here: str
    read: Callable[[str], Any]
    why: str = ""


def side_px(text: str) -> int:
    """Return the side of a square input, of ``height,width``.

    Raises:
        ValueError: If it is none.
    """
    longest = max(positive(each.strip()) for each in text.strip("()[]").split(","))
    return -(-longest // STRIDE_PX) * STRIDE_PX


VARIABLES = {
    "batch_size": Variable("training.batch_size", positive),
    "epochs": Variable(
        "training.retrain_max_epochs",
        positive,
        "of a retraining; training.max_epochs of the first",
    ),
    "learning_rate": Variable(
        "training.lr0", number, "for AdamW, unless training.optimizer says"
    ),
    "input_shape": Variable("training.img_size", side_px, "the longer side, a multiple of 32"),
    "nms_threshold": Variable("inference.nms_thres", number),
    "obj_threshold": Variable(
        "inference.conf_thres", number, "of a class: none has objectness"
    ),
}
TOLD: dict[str, Verdict] = {
    "class_names": (
        "changed",
        "initial.data.names",
        "a file with one name a line, where the data set does not name its classes",
    ),
    "video_url": ("changed", "frames in NODE.yaml", "a video, a folder or a camera"),
    "HE_SAVED_URL": ("changed", "store in NODE.yaml", "hard frames go into its inbox"),
}
"""Variables of Sedna's examples that become no field of a campaign."""
ONE_FOR_ALL = "one value for training, evaluation and nodes: that of trainSpec"
OWN: Verdict = (
    "refused",
    "",
    "no field here; of code of yours: `params` of training.detector",
)
_VARIABLE = re.compile(r"spec\.(\w+Spec)\.template\.spec\.containers\.\d+\.env\.([^.]+)")


def _environment(job: Document) -> Iterator[Taken]:
    """Yield the variables of all containers; those that Sedna's examples know become fields."""
    for key, text in job.fields.items():
        if (match := _VARIABLE.fullmatch(key)) is None:
            continue
        yield _variable(match[1], match[2], text, job.file)


def _variable(spec: str, name: str, text: str, file: object) -> Taken:
    """Return what becomes of a variable; values that are not taken over may be secrets."""
    key = f"{spec} env.{one_line(name)}"
    if name in TOLD:
        return told(key, "", *TOLD[name])
    if (known := VARIABLES.get(name)) is None:
        return told(key, "", *OWN)
    if spec != "trainSpec":
        return told(key, text, "changed", known.here, ONE_FOR_ALL)
    value = read(f"env.{name}", text, known.read, file)
    return taken(key, text, {known.here: value}, known.why)


_READ = re.compile(
    r"spec\.(dataset\.(name|trainProb)|initialModel\.name|outputDir"
    r"|(trainSpec|deploySpec)\.trigger\.(checkPeriodSeconds|timer\.(start|end|type)"
    r"|condition\.(operator|threshold|metric))"
    r"|deploySpec\.model\.(hotUpdateEnabled|pollPeriodSeconds)"
    r"|deploySpec\.hardExampleMining\.(name|parameters\..*))"
)
_PASSED_OVER = re.compile(r"apiVersion|kind|metadata\..*|status\..*")
_PART = re.compile(r"spec\.(\w+Spec\.template)\..*")


def _others(job: Document) -> dict[str, str]:
    """Return what is left: fields of templates together, by the template; others alone."""
    left: dict[str, str] = {}
    for key, text in job.fields.items():
        if any(each.fullmatch(key) for each in (_READ, _VARIABLE, _PASSED_OVER)):
            continue
        part = _PART.fullmatch(key)
        if part is None:
            left[key.removeprefix("spec.")] = text
        elif key.endswith(".image") or part[1] not in left:
            left[part[1]] = text if key.endswith(".image") else ""
    return left


TRAINED = (
    "no container and script: Backhaul trains, with Ultralytics or training.detector, where "
    "code of your own goes; where it runs is a work pool's (deployments/README.md)"
)
LOOKED = (
    "no container: `backhaul node run NODE.yaml` looks, chooses and sends (docs/node.md); the "
    "video or folder is `frames`, HE_SAVED_URL is the inbox of the store"
)
MEASURED = "no container: each round is measured on the same test sets"
TEMPLATES = {
    "trainSpec.template": ("training", TRAINED),
    "evalSpec.template": ("evaluation", MEASURED),
    "deploySpec.template": ("NODE.yaml", LOOKED),
}


def _left(key: str, text: str) -> Taken:
    if key in TEMPLATES:
        here, why = TEMPLATES[key]
        return told(key, text, "changed", here, why)
    if key == "deploySpec.model.name":
        why = (
            "what nodes run is what was published last; NODE.yaml's `model` is where they begin"
        )
        return told(key, text, "changed", "model in NODE.yaml", why)
    return told(one_line(key), text, "refused", "", "no field here")
