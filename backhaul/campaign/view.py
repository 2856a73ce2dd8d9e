"""The files of a run that people look at, made from its records; no stage reads them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from backhaul.campaign.claim import without_resources
from backhaul.campaign.continued import TABLES, read_table, show_table
from backhaul.campaign.events import write_events
from backhaul.campaign.provenance import GitState
from backhaul.campaign.records import RoundRecord, Waiting
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.setting import Beginning, Setting
from backhaul.campaign.tables import (
    current_table,
    proportions,
    timings,
    trainings,
)
from backhaul.identity import content_digest
from backhaul.layout import View
from backhaul.link.exchange import Carried
from backhaul.storage.addresses import is_local
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import names_in
from backhaul.storage.objects import exists, has, put_file, read_value, remove, replace
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet
from backhaul.values.results import Arrangement, Offered, Sent
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits


def write_view(records: RunRecords) -> None:
    """Write all files of a run again, except its findings and its HTML page.

    Checkpoints that were pruned are left out.

    Raises:
        MissingObjectError: If anything else is gone from the store.
    """
    view = records.files.view
    write_unplayed(view, records.beginning.arrangement)
    if records.setting is not None:
        write_crops(view, records.setting)
    with ThreadPoolExecutor(TRANSFERS) as threads:
        for _ in threads.map(lambda record: write_round_files(view, record), records.rounds):
            pass
    for prefix, waiting in records.waiting.items():
        write_waiting(view, prefix, waiting)
    if records.goes_on_for_ever:
        write_continued(records)
        write_about(records)
        write_all_rounds(records)
    else:
        write_overview(records)


def write_continued(records: RunRecords) -> None:
    """Update the tables of a run that continues hour by hour with the last finished hour."""
    view = records.files.view
    for name, table_of in TABLES.items():
        table = read_table(records.files, name)
        if table is not None:
            show_table(view, name, table)
        elif records.rounds:
            show_table(view, name, table_of(records.rounds))


def write_overview(records: RunRecords) -> None:
    """Write ``run.json`` and the tables of a run from all of its rounds."""
    view = records.files.view
    write_unplayed(view, records.beginning.arrangement)
    write_tables(view, records.rounds)
    write_about(records)


def write_tables(view: View, rounds: Sequence[RoundRecord]) -> None:
    """Write the tables of metrics and of checkpoints, if there are any.

    Rounds whose metrics are gone from the store are left out: a start makes them anew.
    """
    there = [record for record in rounds if has(record.evaluation)]
    for name, table_of in TABLES.items() if there else ():
        show_table(view, name, table_of(there))


def write_about(records: RunRecords) -> None:
    """Write where a run stands: ``run.json``, and the checkpoints in use, ``current.csv``.

    A run that continues hour by hour has the last round of each method in them, so that they
    do not grow.
    """
    rounds = records.latest if records.goes_on_for_ever else records.rounds
    _write_json(records.files.view.run, about(records, rounds))
    write_csv(records.files.view.current, current_table(records.latest))


def write_all_rounds(records: RunRecords) -> None:
    """Write ``rounds.json``, the rounds that ``run.json`` lists for a run with an end.

    For a run that continues hour by hour, ``run.json`` lists the last of each method.
    """
    rounds = _rounds(records.beginning, records.rounds)
    _write_json(records.files.view.rounds, rounds)


def about(records: RunRecords, rounds: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return the content of ``run.json``."""
    config, beginning, start = records.config, records.beginning, records.last_start
    methods = records.outcome.methods
    return {
        "name": records.files.name,
        "state": records.outcome.state,
        "started": beginning.started.isoformat(),
        "config": config,
        "config_digest": content_digest(without_resources(config)),
        "seed": config["seed"],
        "class_names": list(beginning.class_names),
        "blocks": list(beginning.blocks),
        "data": beginning.arrangement.sizes,
        "batches_played": records.batches_played,
        "methods": {name: outcome.model_dump() for name, outcome in methods.items()},
        "versions": {} if start is None else start.versions,
        "git": (GitState() if start is None else start.git).model_dump(),
        **_rounds(beginning, rounds),
    }


def _rounds(beginning: Beginning, rounds: Sequence[RoundRecord]) -> dict[str, Any]:
    return {
        "trainings": trainings(rounds),
        "proportions": proportions(rounds),
        "timings": timings(beginning, rounds),
        "artifacts": {
            "arrangement": beginning.arrangement.model_dump(mode="json"),
            **{record.prefix: record.model_dump(mode="json") for record in rounds},
        },
    }


def _write_json(uri: str, content: dict[str, Any]) -> None:
    replace(uri, json.dumps(content, indent=1, allow_nan=False).encode())


def write_round_files(view: View, record: RoundRecord) -> None:
    """Write the files of one round under the names users of the earlier tool know."""
    write_lists(view, record)
    if record.sent is not None:
        _write_selection(view.selection(record.prefix), record.sent, record.carried)
    if record.benchmark is not None:
        table = read_value(pd.DataFrame, record.benchmark)
        write_csv(view.benchmark(record.prefix, record.epoch_before), table)
    if record.proportion is not None:
        table = read_value(pd.DataFrame, record.proportion)
        write_csv(view.proportion(record.prefix), table)
    write_logs(view, record)
    if is_local(view.folder):  # in an object store this would be a second copy
        for checkpoint in record.new_checkpoints:
            if exists(checkpoint.artifact):  # some may have been pruned
                place = view.checkpoint(record.checkpoints_of, checkpoint.epoch)
                _place(checkpoint.artifact, place)


def write_logs(view: View, record: RoundRecord) -> None:
    """Write the losses of one round as CSV, and as event files of TensorBoard."""
    history, steps = None, None
    if record.training is not None:
        history = read_value(pd.DataFrame, record.training.history)
        write_csv(view.losses(record.prefix), history)
        steps = read_value(pd.DataFrame, record.training.steps)
        if len(steps):
            write_csv(view.steps(record.prefix), steps)
    evaluation = read_value(pd.DataFrame, record.evaluation)
    epoch = record.evaluated.epoch
    with _local_events(view.events(record.prefix)) as place:
        write_events(place, history, steps, evaluation, epoch)


@contextmanager
def _local_events(uri: str) -> Iterator[Path]:
    """Yield a local folder for `uri`; for a remote one, its files are replaced at the end."""
    if is_local(uri):
        yield Path(uri)
        return
    earlier = names_in(uri)
    with scratch_folder() as folder:
        place = folder / "events"
        yield place
        new = [path.name for path in place.iterdir()]
        for file in new:
            put_file(place / file, f"{uri}/{file}")
    for file in set(earlier).difference(new):
        remove(f"{uri}/{file}")


def write_lists(view: View, record: RoundRecord) -> None:
    """Write the images of one round: the batch, what was sent, the splits."""
    if record.images is not None and record.batch is not None:
        _write_list(view.images(record.batch), read_value(ImageSet, record.images))
    if record.sent is not None:
        chosen = read_value(ImageSet, record.sent.chosen)
        _write_list(view.sent(record.prefix, record.epoch_before), chosen)
    if record.new is not None:
        splits = read_value(Splits, record.new)
        for name in ("train", "valid", "test"):
            _write_list(view.part(record.prefix, name), getattr(splits, name))


def write_unplayed(view: View, arrangement: Arrangement) -> None:
    """Write the lists of images that are in no batch: held out, and left over.

    What is left over is a last, smaller batch, unless more was left than one batch holds.
    """
    n_left = len(read_value(ImageSet, arrangement.leftover))
    n_batch = max((len(read_value(ImageSet, b)) for b in arrangement.batches[:1]), default=0)
    left = view.images(len(arrangement.batches)) if n_left < n_batch else view.unplayed()
    for place, part in (
        (view.held_out(), arrangement.holdout),
        (left, arrangement.leftover),
    ):
        if len(images := read_value(ImageSet, part)):
            _write_list(place, images)


def write_crops(view: View, setting: Setting) -> None:
    """Write the table of crops for each batch that consists of crops."""
    for batch, table in enumerate(setting.crops):
        write_csv(view.crops(batch), read_value(pd.DataFrame, table))


def write_waiting(view: View, prefix: str, waiting: Waiting) -> None:
    """Write the table of images without labels, with the files that their labels belong in.

    Args:
        view: The files of the run that people look at.
        prefix: Prefix of the names of the round's files.
        waiting: The images that wait for their labels.
    """
    write_csv(view.to_label(prefix), read_value(pd.DataFrame, waiting.files))


def _write_selection(uri: str, sent: Sent, carried: Carried | None) -> None:
    """Write why each image was sent, and if there is a link, when it was at home."""
    selection = read_value(Selection, sent.selection).table
    file = read_value(ImageSet, sent.chosen).table["uri"].to_numpy()
    table = selection.assign(file=file)
    if carried is not None:
        arrivals = read_value(pd.DataFrame, carried.arrivals)
        table = table.merge(arrivals, on="image_id", validate="one_to_one")
    if sent.versions is not None:
        table = _with_versions(table, sent.versions)
    write_csv(uri, table)


def _with_versions(selection: pd.DataFrame, versions: Offered) -> pd.DataFrame:
    """Return a row for each file that was sent: its bytes, and what it shows of its image."""
    images = read_value(ImageSet, versions.images).table
    sources = read_value(pd.DataFrame, versions.sources).drop(columns="image_id")
    files = sources.assign(sent_as=images["uri"], size_bytes=images["size_bytes"])
    of_image = selection.drop(columns="size_bytes")
    joined = of_image.merge(files, left_on="image_id", right_on="source_id")
    return joined.drop(columns="source_id")


def _write_list(uri: str, images: ImageSet) -> None:
    replace(uri, "".join(f"{image}\n" for image in images.table["uri"]).encode())


def write_csv(uri: str, table: pd.DataFrame) -> None:
    """Write a table without its index."""
    replace(uri, table.to_csv(index=False).encode())


def _place(artifact: Artifact, uri: str) -> None:
    """Link or copy a stored object to `uri`; on one disk it is a hard link."""
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
