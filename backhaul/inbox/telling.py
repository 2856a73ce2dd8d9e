"""What nodes told while a batch came together, as a table of a row a node, policy and model."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from backhaul.campaign.runstate import RunState
from backhaul.inbox.reference import drift, references_of
from backhaul.inbox.summary import Summary
from backhaul.inbox.windows import read_windows
from backhaul.measure.names import OF_NODES
from backhaul.storage.objects import write_value

TOLD_COLUMNS = ("node", "policy", "model", "windows", *OF_NODES, "samples_transfer_ratio")
"""Columns of what nodes told."""


def told_table(root: str, summaries: Sequence[Summary]) -> pd.DataFrame:
    """Return what nodes told, with `TOLD_COLUMNS`: sums over windows, and the drift.

    ``samples_transfer_ratio`` is frames sent / frames seen. Frames may be sent in a later
    window than they were seen in, so it is near the ratio of a node only over many windows.

    Args:
        root: Root of the store, which knows what nodes saw at first.
        summaries: The windows.
    """
    groups: defaultdict[tuple[str, str, str], list[Summary]] = defaultdict(list)
    for each in summaries:
        groups[each.node, each.policy, each.model].append(each)
    rows = [_row(root, *key, told) for key, told in sorted(groups.items())]
    table = pd.DataFrame(rows, columns=list(TOLD_COLUMNS))
    words = dict.fromkeys(("node", "policy", "model"), "str")
    numbers = dict.fromkeys(("windows", *OF_NODES, "samples_transfer_ratio"), "float64")
    return table.astype(words | numbers)


def with_told(state: RunState, root: str, ends: Mapping[int, datetime]) -> RunState:
    """Return the state of a run in which new batches have what nodes told until then.

    Args:
        state: The state, without that.
        root: Root of the store.
        ends: When the last image of each new batch was taken in, in order.
    """
    last, told = state.windows, dict(state.told)
    entries = deque(read_windows(root, last) if ends else ())
    for number, end in ends.items():
        rows: list[pd.DataFrame] = []
        while entries and entries[0][1]["arrived"].iloc[0] <= end:
            last, table = entries.popleft()
            rows.append(table)
        if rows:
            told[number] = write_value(root, pd.concat(rows, ignore_index=True))
    return state.model_copy(update={"windows": last, "told": told})


def _row(
    root: str, node: str, policy: str, model: str, told: Sequence[Summary]
) -> dict[str, Any]:
    sums = {
        "frames_seen": sum(each.seen for each in told),
        "frames_chosen": sum(each.chosen for each in told),
        "frames_sent": sum(each.sent for each in told),
        "frames_displaced": sum(sum(each.displaced.values()) for each in told),
        "frames_suppressed": sum(each.counts.get("suppressed", 0) for each in told),
        "frame_bytes_seen": sum(each.seen_bytes for each in told),
        "frame_bytes_sent": sum(each.sent_bytes for each in told),
        "node_up_bytes": sum(each.up_bytes for each in told),
        "node_down_bytes": sum(each.down_bytes for each in told),
    }
    confidence, classes = drift(told, references_of(root, node).get(model))
    seen = sums["frames_seen"]
    return {
        "node": node,
        "policy": policy,
        "model": model,
        "windows": len(told),
        **sums,
        "psi_confidence": confidence,
        "psi_classes": classes,
        "samples_transfer_ratio": sums["frames_sent"] / seen if seen else float("nan"),
    }
