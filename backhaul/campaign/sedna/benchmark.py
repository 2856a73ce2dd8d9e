"""Turn a benchmark of incremental learning by KubeEdge Ianvs into a campaign."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from backhaul.campaign.legacy.rules import file as path
from backhaul.campaign.legacy.rules import number, positive
from backhaul.campaign.sedna.filters import DEFAULT, WHY, method_of
from backhaul.campaign.sedna.job import name_from
from backhaul.campaign.sedna.loop import GAINS, NO_GAIN, accepted
from backhaul.campaign.sedna.resources import Document, read_documents
from backhaul.campaign.sedna.taken import (
    Taken,
    Translation,
    fraction,
    read,
    taken,
    told,
    translation,
)
from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_text, user_path

JOB, ENVIRONMENT, ALGORITHM = "benchmarkingjob", "testenv", "algorithm"
PARADIGM = "incrementallearning"
INDEXES = ("index", "url")
"""What a list of images is called: the second by earlier versions."""
ROUNDS = 2
"""Rounds where the environment does not say."""
MOST_ARMS = 50
SAMPLING_BATCH = 100
"""Images of a round where the index of the training images is not at hand."""


def is_benchmark(document: Document) -> bool:
    """Return whether a document is the job of a benchmark."""
    return any(key.startswith(f"{JOB}.") for key in document.fields)


def translate_benchmark(document: Document) -> Translation:
    """Return the campaign that a benchmark stands for; files that it names are read.

    Paths in it are taken from the working directory, or from the nearest folder above it in
    which they are there.

    Raises:
        InputError: If a file is missing, it is no incremental learning, or a value is wrong.
    """
    job = document.below(JOB)
    environment = _named_file(document, job.get(ENVIRONMENT, ""), ENVIRONMENT)
    algorithms = [
        _named_file(document, url, ALGORITHM)
        for key, url in job.items()
        if key.startswith("test_object.algorithms.") and key.endswith(".url")
    ]
    if len(algorithms) != 1:
        raise InputError(
            f"{document.file}: test_object.algorithms: expected one, got {len(algorithms)}: a "
            "campaign has one detector"
        )
    arms = _filters(algorithms[0])
    given = [
        *_workspace(job, document),
        *_environment(environment),
        *_algorithm(algorithms[0]),
        arms,
        *_gate(environment, arms.fields["methods"][0]),
        *_ranking(job),
        *_others(job, "name|workspace|testenv|test_object[.].*|rank[.]sort_by[.].*"),
        *_others(
            environment.below(ENVIRONMENT),
            f"dataset[.](train|test)_({'|'.join(INDEXES)})|incremental_rounds|model_eval[.].*"
            "|metrics[.].*",
        ),
        *_others(
            algorithms[0].below(ALGORITHM),
            "paradigm_type|initial_model_url|modules[.].*"
            "|incremental_learning_data_setting[.]train_ratio",
        ),
    ]
    fields = {name: value for each in given for name, value in each.fields.items()}
    defaults = {
        "name": name_from(job.get("name", document.file.stem)),
        "data.kind": "folder",
        "batches.count": ROUNDS,
        "batches.order": "capture",
        "batches.sampling_batch": SAMPLING_BATCH,
        "bandwidth.images": fields.get("batches.sampling_batch", SAMPLING_BATCH),
    }
    header = (
        f"Imported from {document.file}, a benchmark of Ianvs. Behind a value: the field it",
        "came from. docs/coming-from-sedna.md has every field.",
    )
    return translation(given, defaults, header, document.file)


def _named_file(document: Document, url: str, key: str) -> Document:
    """Return the document of a file that a benchmark names."""
    place = _found(document.file, read(key, url, path, document.file))
    if place is None:
        raise InputError(
            f"{document.file}: {key}: {one_line(url)}: no such file, neither from the working "
            "directory nor from a folder above this file"
        )
    for each in read_documents([place]):
        if any(name.startswith(f"{key}.") for name in each.fields):
            return each
    raise InputError(f"{place}: expected the key {key}")


def _found(beside: Path, url: str) -> Path | None:
    for folder in (Path(), *beside.absolute().parents):
        place = folder / user_path(url)
        if os.path.isfile(place):  # noqa: PTH113 - raises nothing for what is no name
            return place
    return None


def _workspace(job: Mapping[str, str], document: Document) -> Iterator[Taken]:
    if (folder := job.get("workspace")) is not None:
        store = read("workspace", folder, path, document.file)
        yield taken(
            "workspace", folder, {"store": store}, "root of the store: runs/NAME is there"
        )


def _environment(environment: Document) -> Iterator[Taken]:
    """Yield what becomes of data, rounds, gate and metrics."""
    fields, file = environment.below(ENVIRONMENT), environment.file
    rounds = read("incremental_rounds", fields.get("incremental_rounds", "2"), positive, file)
    if (index := _index(fields, "train")) is None:
        raise InputError(f"{file}: dataset: expected train_index, a list of images")
    yield _images(*index, rounds, file)
    if (index := _index(fields, "test")) is not None:
        yield told(*index, "refused", "batches.holdout_batches", TESTED)
    yield taken("incremental_rounds", str(rounds), {"batches.count": rounds})
    metrics = [text for key, text in fields.items() if key.startswith("metrics.")]
    names = [each for each in metrics if not each.endswith(".py")]
    if names:
        yield told("metrics", ", ".join(names), "changed", "leaderboard --metric", MEASURED)


def _index(fields: Mapping[str, str], part: str) -> tuple[str, str] | None:
    """Return the field that names an index of images, and the index; None without."""
    names = (f"dataset.{part}_{each}" for each in INDEXES)
    return next(((name, fields[name]) for name in names if fields.get(name)), None)


def _images(key: str, index: str, rounds: int, file: Path) -> Taken:
    place = _found(file, read(key, index, path, file))
    root = Path(index).parent.as_posix() if place is None else place.parent.as_posix()
    fields: dict[str, Any] = {"data.root": root}
    if place is not None:
        n_images = sum(1 for line in read_text(place).split("\n") if line.strip())
        initial = min(100, max(n_images // 5, 1))
        fields["initial.images"] = initial
        fields["batches.sampling_batch"] = max((n_images - initial) // (rounds + 1), 1)
    return taken(key, index, fields, INDEXED)


def _algorithm(algorithm: Document) -> Iterator[Taken]:
    """Yield what becomes of split, initial model and modules."""
    fields, file = algorithm.below(ALGORITHM), algorithm.file
    paradigm = fields.get("paradigm_type", "")
    if paradigm != PARADIGM:
        raise InputError(
            f"{file}: paradigm_type {one_line(paradigm)!r}: expected {PARADIGM}; a campaign is "
            "nothing else"
        )
    if (share := fields.get("incremental_learning_data_setting.train_ratio")) is not None:
        train = read("train_ratio", share, fraction, file)
        parts = {"batches.train": train, "batches.valid": round((1 - train) / 2, 6)}
        yield taken("train_ratio", share, parts, SPLIT)
    if url := fields.get("initial_model_url"):
        yield told("initial_model_url", url, "refused", "start.checkpoint", STARTED)
    modules = [_module(algorithm, number) for number in range(MOST_ARMS)]
    for each in modules:
        if each.get("type") == "basemodel":
            yield told("basemodel", each.get("name", ""), "refused", "training.detector", MODEL)
            if grid := _grid(each):
                text = " ".join(f"{key}={'|'.join(given)}" for key, given in grid.items())
                yield told("basemodel.hyperparameters", text, "refused", "training", GRID)


def _module(algorithm: Document, number: int) -> dict[str, str]:
    return algorithm.below(f"{ALGORITHM}.modules.{number}")


def _grid(module: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the values of each hyperparameter of a module."""
    grid: dict[str, list[str]] = {}
    for key, text in module.items():
        parts = key.split(".")
        if parts[0] == "hyperparameters" and "values" in parts[2:]:
            grid.setdefault(parts[2], []).append(text)
    return grid


def _filters(algorithm: Document) -> Taken:
    """Return the arms of a campaign that the grid of a filter stands for."""
    file, miner = algorithm.file, next(_miners(algorithm), {})
    name, grid = miner.get("name", DEFAULT), _grid(miner)
    points = [dict(zip(grid, each, strict=True)) for each in product(*grid.values())]
    if len(points) > MOST_ARMS:
        raise InputError(f"{file}: {name}: {len(points)} combinations, at most {MOST_ARMS}")
    methods = [method_of(name, point, file) for point in points]
    if len(methods) > 1:
        labels = [f"{name.lower()}-{_letters(i)}" for i in range(len(methods))]
        methods = [m | {"label": label} for m, label in zip(methods, labels, strict=True)]
    shown = " ".join([name, *(f"{key}={'|'.join(given)}" for key, given in grid.items())])
    return taken("hard_example_mining", shown, {"methods": methods}, WHY)


def _miners(algorithm: Document) -> Iterator[dict[str, str]]:
    modules = (_module(algorithm, number) for number in range(MOST_ARMS))
    return (each for each in modules if each.get("type") == "hard_example_mining")


def _gate(environment: Document, arm: Mapping[str, Any]) -> Iterator[Taken]:
    """Yield what becomes of the rule by which a model is taken, of the first arm."""
    fields = environment.below(f"{ENVIRONMENT}.model_eval")
    if (threshold := fields.get("threshold")) is None:
        return
    metric, sign = fields.get("model_metric.name", ""), fields.get("operator", "")
    text = f"{metric} {sign} {threshold}"
    if sign in GAINS:
        least = read("model_eval.threshold", threshold, number, environment.file)
        label = arm.get("label", f"hard-{arm['filter']['kind']}")
        yield accepted("model_eval", text, metric, least, label)
    else:
        yield told("model_eval", text, *NO_GAIN)


def _letters(number: int) -> str:
    """Return a number as letters, with which labels end: a to z, ba, bb, ..."""
    last = chr(ord("a") + number % 26)
    return (_letters(number // 26) if number >= 26 else "") + last  # noqa: PLR2004 - the alphabet


def _others(fields: Mapping[str, str], known: str) -> list[Taken]:
    """Return what is left of a file: fields that match no pattern, by their part."""
    left: dict[str, str] = {}
    for key, text in fields.items():
        if not re.fullmatch(known, key):
            left.setdefault(".".join(key.split(".")[:2]), text)
    return [told(key, text, "refused", "", "no field here") for key, text in left.items()]


def _ranking(job: Mapping[str, str]) -> Iterator[Taken]:
    order = " ".join(
        f"{key.rpartition('.')[2]} {text}"
        for key, text in job.items()
        if key.startswith("rank.sort_by.")
    )
    if order:
        yield told("rank.sort_by", order, "changed", "backhaul analyze leaderboard", RANKED)


INDEXED = (
    "the folder of the index, with labels in a format of docs/data.md; initial set, rounds and "
    "test set are drawn from it"
)
TESTED = (
    "one batch is held out, never sampled, and tested on, with what is left of the initial set"
)
MEASURED = (
    "precision, recall, mAP and samples_transfer_ratio are always there; f1, f1_mean by "
    "`backhaul analyze leaderboard`"
)
SPLIT = (
    "of what was sent, not of what arrives: every image of a round may be chosen; of the rest, "
    "half is for stopping, half is tested on"
)
STARTED = (
    "a checkpoint of Ultralytics (.pt), or of training.detector, can be started from; without "
    "one the initial model is trained on the initial set"
)
MODEL = "a class with train and predict: docs/own-detector.md; without one Ultralytics trains"
GRID = "one detector a campaign: a run each, as `--set training.lr0=0.01 --name lr-01`"
RANKED = "by F1, then by ratio, with intervals over `seeds`, which there are none of there"
