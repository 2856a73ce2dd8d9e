"""Write a run as the earlier tool would have, from its records and the store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.earlier import FOLDERS, earlier_benchmark, retrain_cfg
from backhaul.campaign.folder import (
    benchmark_name,
    write_csv,
    write_lists,
    write_logs,
    write_unplayed,
)
from backhaul.campaign.records import RoundRecord, read_records
from backhaul.campaign.relocation import relocated
from backhaul.data.images import OnProgress
from backhaul.errors import InputError
from backhaul.layout import root_above
from backhaul.look.statedict import write_state_dict
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_uri, read_value
from backhaul.values.results import Arrangement


class Exported(BaseModel):
    """What `run.json` says that an export needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    config: dict[str, Any]
    class_names: tuple[str, ...]
    artifacts: dict[str, Any]

    @property
    def own_detector(self) -> bool:
        """Whether checkpoints are of a detector of the user's own."""
        return self.config["training"].get("detector") is not None


def export_run(run: str, folder: Path, on_progress: OnProgress) -> None:
    """Write the run in `run` into `folder`, which is new or empty; all of it or nothing.

    Args:
        run: Folder of the run, or its s3:// address; its records and the store are read, and
            nothing else of it.
        folder: Where to write.
        on_progress: Called with how many checkpoints are written, and how many there are.

    Raises:
        InputError: If there is something in `folder`, or the run has no records.
        MissingObjectError: If something is gone from the store.
    """
    require_empty(folder)
    about = Exported.model_validate_json(read_uri(f"{run}/run.json"))
    root = root_above(run, about.name)
    records = [relocated(record, root) for record in read_records(run)]
    if not records:
        raise InputError(f"{run}: no rounds there yet: expected a run whose training has begun")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as place:
        partial = Path(place) / "whole"
        for name in FOLDERS:
            (partial / name).mkdir(parents=True)
        arrangement = Arrangement.model_validate(about.artifacts["arrangement"])
        write_unplayed(str(partial), relocated(arrangement, root))
        for record in records:
            _write_tables(partial, record)
        _write_checkpoints(partial / "checkpoints", records, about, on_progress)
        (partial / "classes.txt").write_text("".join(f"{n}\n" for n in about.class_names))
        (partial / "retrain.cfg").write_text(retrain_cfg(about.config))
        partial.rename(folder)


def require_empty(folder: Path) -> None:
    """Do nothing if `folder` is new or empty.

    Raises:
        InputError: If it is neither.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; expected a new or empty folder")


def _write_tables(folder: Path, record: RoundRecord) -> None:
    write_lists(str(folder), record)
    write_logs(str(folder / "log"), str(folder / "log"), record)
    if record.benchmark is not None:
        table = earlier_benchmark(read_value(pd.DataFrame, record.benchmark))
        write_csv(f"{folder}/output/{benchmark_name(record)}", table)


def _write_checkpoints(
    folder: Path, records: list[RoundRecord], about: Exported, on_progress: OnProgress
) -> None:
    made = [(r.method, checkpoint) for r in records for checkpoint in r.new_checkpoints]
    with tempfile.TemporaryDirectory(prefix="backhaul-") as fetched:
        for done, (method, checkpoint) in enumerate(made):
            on_progress(done, len(made))
            source = local_object(checkpoint.artifact, Path(fetched))
            target = folder / f"{method}_ckpt_{checkpoint.epoch}{source.suffix}"
            shutil.copyfile(source, target)
            if not about.own_detector:
                digest = checkpoint.artifact.content_digest
                weights = target.with_suffix(".pth")
                write_state_dict(source, weights, about.class_names, digest)
    on_progress(len(made), len(made))
