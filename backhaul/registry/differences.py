"""What differs between two versions of a run's model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backhaul.registry.cards import Card
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits

COMPARED = ("mAP50", "prec", "recall")
SETS = ("common", "old_test")
"""Test sets that all versions of a run share; the others differ from round to round."""


def differences(before: Card, after: Card) -> list[tuple[str, Any, Any]]:
    """Return what differs between two versions: what it is, and its value in each.

    Args:
        before: One version.
        after: The other.
    """
    was, now = _facts(before), _facts(after)
    keys = dict.fromkeys((*was, *now))
    return [(key, was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)]


def metric_differences(before: Card, after: Card) -> pd.DataFrame:
    """Return the metrics of two versions side by side, by test set and class.

    Args:
        before: One version.
        after: The other.

    Returns:
        Columns ``test_set``, one of ``SETS``, ``class`` (empty = over all classes), and for
        each metric of ``COMPARED`` its value ``_before`` and ``_after``, in [0, 1]; without
        classes of which nothing is known.
    """
    was, now = (_measured(card) for card in (before, after))
    both = was.merge(now, on=["test_set", "class"], how="left", suffixes=("_before", "_after"))
    figures = both.drop(columns=["test_set", "class"])
    return both[figures.notna().any(axis=1)].reset_index(drop=True)


def _measured(card: Card) -> pd.DataFrame:
    table = read_value(pd.DataFrame, card.evaluation)
    return table.loc[table["test_set"].isin(SETS), ["test_set", "class", *COMPARED]]


def _facts(card: Card) -> dict[str, Any]:
    seen = read_value(Splits, card.seen)
    exported = card.exported
    return {
        "made by": card.made_by,
        "trained from": card.parent,
        "epoch": card.current.epoch,
        "images to train on": len(seen.train),
        "images to validate on": len(seen.valid),
        "images to test on": len(seen.test),
        "images sent": card.images_sent,
        "bytes sent": card.bytes_sent,
        "config": card.config_digest[:12],
        "code": card.code.commit,
        "weights": card.current.artifact.content_digest[:12],
        **{f"version of {name}": number for name, number in card.versions.items()},
        **{name: measure.value for name, measure in card.measures.items()},
        "bytes of the node's model": None if exported is None else exported.size_bytes,
    }
