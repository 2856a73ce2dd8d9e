"""The tables of a run, made from the records of its rounds."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.setting import Beginning
from backhaul.layout import checkpoint_name
from backhaul.measure.names import KEYS, METRICS, OF_EXPLORED, OF_LINK, OF_NODES
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import has, read_value


def summary_table(records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return one row per method, batch and test set: what was sent, epochs, all metrics."""
    evaluated = _evaluated(records)
    return evaluated[evaluated["class"] == ""].drop(columns="class").reset_index(drop=True)


def classes_table(records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return one row per method, batch, test set and class."""
    evaluated = _evaluated(records)
    columns = [*KEYS, "class", *METRICS]
    return evaluated.loc[evaluated["class"] != "", columns].reset_index(drop=True)


def checkpoints_table(records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return one row per checkpoint: its file name in an export, and its address.

    The ``sha256`` is the digest of its file, which ``sha256sum`` gives as well.
    """
    rows = [
        (
            r.method,
            r.batch,
            checkpoint_name(r.checkpoints_of, c.epoch),
            c.epoch,
            c.artifact.uri,
            c.artifact.sha256,
        )
        for r in records
        for c in r.new_checkpoints
    ]
    columns = ["method", "batch", "file", "epoch", "uri", "sha256"]
    return pd.DataFrame(rows, columns=columns).astype({"batch": "Int64"})


def current_table(latest: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return one row per method: the checkpoint that it goes on with, and its address.

    Args:
        latest: The last round of each method. If the last batch brought no training, the
            checkpoint is of an earlier round.
    """
    rows = [
        (r.method, r.batch, c.epoch, c.artifact.uri, c.artifact.sha256)
        for r in latest
        for c in (r.standing.current,)
    ]
    table = pd.DataFrame(rows, columns=["method", "batch", "epoch", "uri", "sha256"])
    return table.astype({"batch": "Int64"})


def _evaluated(records: Iterable[RoundRecord]) -> pd.DataFrame:
    with ThreadPoolExecutor(TRANSFERS) as threads:
        tables = list(threads.map(_of_round, records))
    table = pd.concat(tables, ignore_index=True)
    table.insert(2, "test_set", table.pop("test_set"))
    return table


def _of_round(record: RoundRecord) -> pd.DataFrame:
    table = read_value(pd.DataFrame, record.evaluation)
    known = {
        "method": record.method,
        "batch": record.batch,
        **_sent(record),
        "images_sent_total": record.standing.images_sent,
        "bytes_sent_total": record.standing.bytes_sent,
        "epochs_trained": 0 if record.training is None else record.training.epochs,
        "epoch": record.evaluated.epoch,
        **_carried(record),
        **_told(record),
        **({} if record.verdict is None else {"verdict": record.verdict.ruling}),
    }
    for place, (name, value) in enumerate(known.items()):
        table.insert(place, name, value)
    return table.astype({"batch": "Int64"})


def _sent(record: RoundRecord) -> dict[str, Any]:
    sent = record.sent
    if sent is None:
        return {
            "images_sent": 0,
            "bytes_sent": 0,
            "samples_transfer_ratio": float("nan"),
            "mean_bytes_sent": float("nan"),
            "mean_bytes_pool": float("nan"),
        }
    return {
        "images_sent": sent.n_images,
        "bytes_sent": sent.n_bytes,
        "samples_transfer_ratio": sent.n_images / sent.pool_images,
        "mean_bytes_sent": sent.n_bytes / sent.n_images if sent.n_images else float("nan"),
        "mean_bytes_pool": sent.pool_bytes / sent.pool_images,
    }


def _carried(record: RoundRecord) -> dict[str, float]:
    """Return the columns of what went over the link; none if the campaign has no link."""
    if record.carried is None:
        return {}
    found = {name: getattr(record.carried, name) for name in OF_LINK}
    return {name: float("nan") if value is None else value for name, value in found.items()}


def _told(record: RoundRecord) -> dict[str, float]:
    """Return the columns of what nodes told, over all of them, and of what was explored.

    Those of drift are of the node that has moved furthest. ``samples_transfer_ratio`` is of
    what the nodes have counted, where they have told.
    """
    found: dict[str, float] = {}
    if record.told is not None:
        told = read_value(pd.DataFrame, record.told)
        drifts = {name for name in OF_NODES if name.startswith("psi_")}
        found |= {n: told[n].max() if n in drifts else told[n].sum() for n in OF_NODES}
        if found["frames_seen"]:
            found["samples_transfer_ratio"] = found["frames_sent"] / found["frames_seen"]
    if record.explored is not None:
        explored = read_value(pd.DataFrame, record.explored)
        found |= {name: float(explored[name].iloc[0]) for name in OF_EXPLORED}
    return found


def nodes_table(records: Iterable[RoundRecord]) -> pd.DataFrame:
    """Return one row per method, batch, node, policy and model: what the nodes told."""
    parts = [
        read_value(pd.DataFrame, record.told).assign(method=record.method, batch=record.batch)
        for record in records
        if record.told is not None
    ]
    if not parts:
        return pd.DataFrame({"method": [], "batch": []}).astype({"batch": "Int64"})
    table = pd.concat(parts, ignore_index=True).astype({"batch": "Int64"})
    keys = ["method", "batch"]
    return table[[*keys, *(name for name in table if name not in keys)]]


def trainings(records: Iterable[RoundRecord]) -> list[dict[str, Any]]:
    """Return the entries of ``run.json`` about trainings."""
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


def proportions(records: Iterable[RoundRecord]) -> list[dict[str, Any]]:
    """Return the entries of ``run.json`` about fractions of new images that were tried.

    Tables that are gone from the store are left out: a start makes them anew.
    """
    rows: list[dict[str, Any]] = []
    for record in records:
        if record.proportion is not None and has(record.proportion):
            table = read_value(pd.DataFrame, record.proportion).astype(object)
            known = {"method": record.method, "batch": record.batch}
            tried = table.where(table.notna(), None).to_dict("records")
            rows += [{**known, **{str(k): v for k, v in row.items()}} for row in tried]
    return rows


def timings(beginning: Beginning, records: Iterable[RoundRecord]) -> list[dict[str, Any]]:
    """Return the entries of ``run.json`` about the duration of each stage."""
    rows = [{**t.model_dump(), "method": None, "batch": None} for t in beginning.timings]
    for record in records:
        rows += [
            {**t.model_dump(), "method": record.method, "batch": record.batch}
            for t in record.timings
        ]
    return rows
