"""The tables of a run, made from the records of its rounds."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd

from backhaul.campaign.records import RoundRecord
from backhaul.measure.metrics import METRICS
from backhaul.storage.objects import read_value
from backhaul.values.checkpoints import Checkpoint

KEYS = ["method", "batch", "test_set"]


def summary_table(records: list[RoundRecord]) -> pd.DataFrame:
    """Return a row a method, batch and test set: what was sent, epochs trained, all metrics."""
    evaluated = _evaluated(records)
    return evaluated[evaluated["class"] == ""].drop(columns="class").reset_index(drop=True)


def classes_table(records: list[RoundRecord]) -> pd.DataFrame:
    """Return a row a method, batch, test set and class."""
    evaluated = _evaluated(records)
    columns = [*KEYS, "class", *METRICS]
    return evaluated.loc[evaluated["class"] != "", columns].reset_index(drop=True)


def checkpoints_table(records: list[RoundRecord]) -> pd.DataFrame:
    """Return a row a checkpoint: the file that an export makes of it, and where it lies.

    The ``sha256`` is the digest of its tensors, see `Artifact`.
    """
    rows = [
        (checkpoint_file(r, c), c.epoch, c.artifact.uri, c.artifact.sha256)
        for r in records
        for c in r.new_checkpoints
    ]
    return pd.DataFrame(rows, columns=["file", "epoch", "uri", "sha256"])


def checkpoint_file(record: RoundRecord, checkpoint: Checkpoint) -> str:
    """Return the name of a checkpoint of a round, relative to the run's folder."""
    return f"checkpoints/{record.method}_ckpt_{checkpoint.epoch}.pt"


def _evaluated(records: list[RoundRecord]) -> pd.DataFrame:
    tables = []
    for _, rounds in groupby(records, key=lambda record: record.method):
        n_images = n_bytes = 0
        for record in rounds:
            if record.sent is not None:
                n_images += record.sent.n_images
                n_bytes += record.sent.n_bytes
            table = read_value(pd.DataFrame, record.evaluation)
            known = {
                "method": record.method,
                "batch": record.batch,
                **_sent(record),
                "images_sent_total": n_images,
                "bytes_sent_total": n_bytes,
                "epochs_trained": 0 if record.training is None else record.training.epochs,
                "epoch": record.standing.current.epoch,
            }
            for place, (name, value) in enumerate(known.items()):
                table.insert(place, name, value)
            tables.append(table.astype({"batch": "Int64"}))
    table = pd.concat(tables, ignore_index=True)
    table.insert(2, "test_set", table.pop("test_set"))
    return table


def _sent(record: RoundRecord) -> dict[str, Any]:
    sent = record.sent
    if sent is None:
        return {
            "images_sent": 0,
            "bytes_sent": 0,
            "mean_bytes_sent": float("nan"),
            "mean_bytes_pool": float("nan"),
        }
    return {
        "images_sent": sent.n_images,
        "bytes_sent": sent.n_bytes,
        "mean_bytes_sent": sent.n_bytes / sent.n_images if sent.n_images else float("nan"),
        "mean_bytes_pool": sent.pool_bytes / sent.pool_images,
    }


def trainings(records: list[RoundRecord]) -> list[dict[str, Any]]:
    """Return what ``run.json`` says of every training."""
    return [
        {
            "method": record.method,
            "batch": record.batch,
            "first_epoch": record.training.first_epoch,
            "last_epoch": record.training.first_epoch + record.training.epochs - 1,
            "epochs": record.training.epochs,
            "best_epoch": record.training.best_epoch,
            "stopped_because": record.training.stopped_because,
            "resumed": record.training.resumed,
            "seconds": record.training.seconds,
            "train_images": record.training.n_train,
            "valid_images": record.training.n_valid,
        }
        for record in records
        if record.training is not None
    ]
