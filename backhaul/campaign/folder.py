"""A run's folder: what a person looks for. A derived view; no stage reads it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.events import write_events
from backhaul.campaign.provenance import git_state, versions
from backhaul.campaign.records import RoundRecord, read_beginning, read_records, run_folder
from backhaul.campaign.setting import Beginning
from backhaul.campaign.tables import (
    checkpoint_file,
    checkpoints_table,
    classes_table,
    summary_table,
    trainings,
)
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.storage.objects import (
    exists,
    exists_at,
    names_in,
    put_file,
    read_uri,
    read_value,
    remove,
    replace,
)
from backhaul.storage.places import is_local
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet
from backhaul.values.results import Arrangement, Sent
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits

METHOD_STATES = Literal["running", "completed", "failed", "waiting"]


class MethodOutcome(BaseModel):
    """How a method ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: METHOD_STATES
    error: str | None = None


class Overview(BaseModel):
    """What is known of a run as a whole.

    Args:
        config: The campaign.
        beginning: How it began.
        methods: How the methods ended, by label.
        state: ``running``, ``completed``, ``awaiting-labels`` or ``completed-with-failures``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: CampaignConfig
    beginning: Beginning
    methods: dict[str, MethodOutcome] = {}
    state: str = "running"

    def ended(self, methods: dict[str, MethodOutcome]) -> Overview:
        """Return the overview once all methods are over."""
        states = {outcome.state for outcome in methods.values()}
        waiting = "awaiting-labels" if "waiting" in states else "completed"
        state = "completed-with-failures" if "failed" in states else waiting
        return self.model_copy(update={"methods": methods, "state": state})


def claim(config: CampaignConfig) -> str:
    """Return the run's folder, made ready for `config`.

    A run whose data could not be read has left nothing but its config, which may be mended.

    Raises:
        InputError: If a run of that name was made with another config.
    """
    folder = run_folder(config.store, config.name)
    mine = _identity(config)
    if exists_at(f"{folder}/config.json") and exists_at(f"{folder}/run.json"):
        theirs = json.loads(read_uri(f"{folder}/config.json"))
        if theirs == mine:
            return folder
        raise InputError(
            f"{folder}: holds a run with another config ({_differences(mine, theirs)}); "
            "choose another name with --name"
        )
    replace(f"{folder}/config.json", json.dumps(mine, indent=1).encode())
    return folder


def _identity(config: CampaignConfig) -> dict[str, Any]:
    """Return the config without what cannot change a result, and without digests of sources."""
    left_out: Any = {
        "execution": True,
        "keep_checkpoints": True,
        "parallel": True,
        "store": True,
        "training": set(config.training.resources),
        "inference": set(config.inference.resources),
    }
    data = config.model_dump(mode="json", exclude=left_out)
    identity: dict[str, Any] = json.loads(
        json.dumps(data), object_hook=lambda d: {k: v for k, v in d.items() if k != "digest"}
    )
    return identity


def _differences(mine: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> str:
    found = []
    for key in sorted(mine.keys() | theirs.keys()):
        a, b = mine.get(key), theirs.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found.append(_differences(a, b, f"{prefix}{key}."))
        elif a != b:
            found.append(f"{prefix}{key} was {b!r}, now {a!r}")
    return "; ".join(part for part in found if part)


def write_round(folder: str, record: RoundRecord) -> None:
    """Write the files of one round under the names users of the earlier tool know."""
    write_lists(folder, record)
    if record.sent is not None:
        _write_selection(folder, record.prefix, record.sent)
    if record.benchmark is not None:
        table = read_value(pd.DataFrame, record.benchmark)
        write_csv(f"{folder}/output/{benchmark_name(record)}", table)
    write_logs(f"{folder}/logs", f"{folder}/logs/tensorboard", record)
    if is_local(folder):  # in an object store this would be a second copy
        for checkpoint in record.new_checkpoints:
            if exists(checkpoint.artifact):  # some may have been pruned
                _place(checkpoint.artifact, f"{folder}/{checkpoint_file(record, checkpoint)}")


def write_logs(folder: str, events: str, record: RoundRecord) -> None:
    """Write the losses of one round as CSV below `folder`, and event files below `events`."""
    history, steps = None, None
    if record.training is not None:
        history = read_value(pd.DataFrame, record.training.history)
        write_csv(f"{folder}/{record.prefix}_training.csv", history)
        steps = read_value(pd.DataFrame, record.training.steps)
        if len(steps):
            write_csv(f"{folder}/{record.prefix}_steps.csv", steps)
    evaluation = read_value(pd.DataFrame, record.evaluation)
    epoch = record.standing.current.epoch
    with _local_events(f"{events}/{record.prefix}") as place:
        write_events(place, history, steps, evaluation, epoch)


@contextmanager
def _local_events(uri: str) -> Iterator[Path]:
    """Yield the folder at `uri`, or one whose files then take the place of those there."""
    if is_local(uri):
        yield Path(uri)
        return
    earlier = names_in(uri)
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        place = Path(name) / "events"
        yield place
        new = [path.name for path in place.iterdir()]
        for file in new:
            put_file(place / file, f"{uri}/{file}")
    for file in set(earlier).difference(new):
        remove(f"{uri}/{file}")


def write_lists(folder: str, record: RoundRecord) -> None:
    """Write the images of one round below ``output/``: the batch, what was sent, the splits."""
    if record.images is not None:
        arrived = read_value(ImageSet, record.images)
        _write_list(f"{folder}/output/sample{record.batch}.txt", arrived)
    if record.sent is not None:
        name = f"{record.prefix}_sample_{_epoch_before(record)}.txt"
        _write_list(f"{folder}/output/{name}", read_value(ImageSet, record.sent.chosen))
    if record.new is not None:
        splits = read_value(Splits, record.new)
        for name in ("train", "valid", "test"):
            _write_list(f"{folder}/output/{record.prefix}_{name}.txt", getattr(splits, name))


def write_unplayed(folder: str, arrangement: Arrangement) -> None:
    """Write the images below ``output/`` that no round plays: held out, and left over.

    What is left over is a last, smaller batch, unless more was left than one batch holds.
    """
    n_left = len(read_value(ImageSet, arrangement.leftover))
    n_batch = max((len(read_value(ImageSet, b)) for b in arrangement.batches[:1]), default=0)
    left = f"sample{len(arrangement.batches)}" if n_left < n_batch else "unplayed"
    for name, part in (("holdout", arrangement.holdout), (left, arrangement.leftover)):
        if len(images := read_value(ImageSet, part)):
            _write_list(f"{folder}/output/{name}.txt", images)


def benchmark_name(record: RoundRecord) -> str:
    """Return the name of a round's benchmark."""
    return f"{record.prefix}_benchmark_avg_1_{_epoch_before(record)}.csv"


def _write_selection(folder: str, prefix: str, sent: Sent) -> None:
    selection = read_value(Selection, sent.selection).table
    file = read_value(ImageSet, sent.chosen).table["uri"].to_numpy()
    write_csv(f"{folder}/output/{prefix}_selection.csv", selection.assign(file=file))


def _epoch_before(record: RoundRecord) -> int:
    """Return the epoch of the model that looked at the batch."""
    if record.training is None:
        return record.standing.current.epoch
    return record.training.first_epoch - 1


def write_overview(folder: str, overview: Overview) -> None:
    """Write ``run.json``, ``summary.csv`` and ``classes.csv`` from the rounds' records."""
    write_unplayed(folder, overview.beginning.arrangement)
    labels = {method.label for method in overview.config.arms}
    records = [r for r in read_records(folder) if r.batch is None or r.method in labels]
    if records:
        write_csv(f"{folder}/summary.csv", summary_table(records))
        write_csv(f"{folder}/classes.csv", classes_table(records))
    if not is_local(folder):  # there they are files of the folder
        write_csv(f"{folder}/checkpoints.csv", checkpoints_table(records))
    text = json.dumps(run_json(overview, records), indent=1, allow_nan=False)
    replace(f"{folder}/run.json", text.encode())


def run_json(overview: Overview, records: list[RoundRecord]) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    config, beginning = overview.config, overview.beginning
    return {
        "name": config.name,
        "state": overview.state,
        "started": beginning.started.isoformat(),
        "config": config.model_dump(mode="json"),
        "config_digest": content_digest(config),
        "seed": config.seed,
        "class_names": list(beginning.class_names),
        "blocks": list(beginning.blocks),
        "data": beginning.arrangement.sizes,
        "methods": {name: o.model_dump() for name, o in overview.methods.items()},
        "versions": versions(),
        "git": git_state(),
        **_rounds_json(beginning, records),
    }


def _rounds_json(beginning: Beginning, records: list[RoundRecord]) -> dict[str, Any]:
    timings = [{**t.model_dump(), "method": None, "batch": None} for t in beginning.timings]
    for record in records:
        timings += [
            {**t.model_dump(), "method": record.method, "batch": record.batch}
            for t in record.timings
        ]
    return {
        "trainings": trainings(records),
        "timings": timings,
        "artifacts": {
            "arrangement": beginning.arrangement.model_dump(mode="json"),
            **{record.prefix: record.model_dump(mode="json") for record in records},
        },
    }


def gather_rounds(folder: str) -> None:
    """Write ``rounds.json``, what ``run.json`` says of all rounds where a run is kept whole.

    A run that goes on hour by hour has it beside ``run.json``, which its hours write.
    """
    rounds = _rounds_json(read_beginning(folder), read_records(folder))
    replace(f"{folder}/rounds.json", json.dumps(rounds, indent=1, allow_nan=False).encode())


def _write_list(uri: str, images: ImageSet) -> None:
    replace(uri, "".join(f"{image}\n" for image in images.table["uri"]).encode())


def write_csv(uri: str, table: pd.DataFrame) -> None:
    """Write a table without its index."""
    replace(uri, table.to_csv(index=False).encode())


def _place(artifact: Artifact, uri: str) -> None:
    """Put a stored object at `uri`; on one disk it takes no space, being the same file."""
    source, target = Path(artifact.uri), Path(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, partial)
    partial.replace(target)
