"""Write a run in the layout of the earlier tool, from its records and the store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pandas as pd

from backhaul.campaign.earlier import FOLDERS, earlier_benchmark, retrain_cfg
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.view import write_csv, write_lists, write_logs, write_unplayed
from backhaul.data.images import OnProgress
from backhaul.errors import InputError
from backhaul.layout import EarlierView, RunFiles, View, checkpoint_name
from backhaul.look.statedict import write_state_dict
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value
from backhaul.storage.scratch import scratch_folder


def export_run(
    files: RunFiles, folder: Path, on_progress: OnProgress, *, trust: bool = False
) -> None:
    """Export a run to `folder`, which must be new or empty; a failed export leaves nothing.

    Args:
        files: Where its files lie; its records and the store are read.
        folder: Where to write.
        on_progress: Called with how many checkpoints are written, and how many there are.
        trust: Whether code in checkpoints may be run, as the campaign's config says.

    Raises:
        InputError: If there is something in `folder`, or the run has no records.
        MissingObjectError: If something is gone from the store.
    """
    require_empty(folder)
    records = RunRecords(files)
    if not records.rounds:
        raise InputError(
            f"{files.view.folder}: no rounds there yet: expected a run whose training has begun"
        )
    class_names = records.beginning.class_names
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as place:
        partial = Path(place) / "whole"
        for name in FOLDERS:
            (partial / name).mkdir(parents=True)
        write_unplayed(View(str(partial)), records.beginning.arrangement)
        for record in records.rounds:
            _write_tables(partial, record)
        _write_checkpoints(partial, records, on_progress, trust)
        (partial / "classes.txt").write_text("".join(f"{n}\n" for n in class_names))
        (partial / "retrain.cfg").write_text(retrain_cfg(records.config))
        partial.rename(folder)


def require_empty(folder: Path) -> None:
    """Raise an error unless `folder` is new or empty.

    Raises:
        InputError: If it is neither.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; expected a new or empty folder")


def _write_tables(folder: Path, record: RoundRecord) -> None:
    view = View(str(folder))
    write_lists(view, record)
    write_logs(EarlierView(str(folder)), record)
    if record.benchmark is not None:
        table = earlier_benchmark(read_value(pd.DataFrame, record.benchmark))
        write_csv(view.benchmark(record.prefix, record.epoch_before), table)


def _write_checkpoints(
    folder: Path, records: RunRecords, on_progress: OnProgress, trust: bool
) -> None:
    made = [(r.checkpoints_of, c) for r in records.rounds for c in r.new_checkpoints]
    class_names = records.beginning.class_names
    with scratch_folder() as fetched:
        for done, (label, checkpoint) in enumerate(made):
            on_progress(done, len(made))
            source = local_object(checkpoint.artifact, fetched)
            name = checkpoint_name(label, checkpoint.epoch)
            target = (folder / name).with_suffix(source.suffix)
            shutil.copyfile(source, target)
            if not checkpoint.detector:
                digest = checkpoint.artifact.content_digest
                weights = target.with_suffix(".pth")
                write_state_dict(source, weights, class_names, digest, trust=trust)
    on_progress(len(made), len(made))
