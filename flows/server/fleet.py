"""What a Prefect server learns of nodes: an event as a problem begins or ends, and a table."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prefect.client.orchestration import get_client

from backhaul.fleet.alarms import Known, News
from backhaul.fleet.nodes import NodeView
from backhaul.fleet.problems import Problem
from flows.server.operation import PROBLEM, WELL
from flows.server.publish import best_effort
from flows.server.temporary import is_temporary
from tasks.shown import show

KEY = "fleet"
MOST_ROWS = 500
"""Nodes in the table; those with problems come first."""


def tell(new: News) -> None:
    """Emit an event for each problem that has begun, and for each that is over.

    Raises:
        httpx.HTTPError: If the server does not take them.
    """
    events = [_event(PROBLEM, each, each.since_s) for each in new.begun]
    events += [_event(WELL, each, time.time()) for each in new.over]
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=events).raise_for_status()


def publish_fleet(fleet: Sequence[NodeView], problems: Sequence[Problem]) -> None:
    """Show the nodes with their problems as the artifact ``fleet``, a table.

    A temporary server has no UI, and gets none.
    """
    if is_temporary():
        return
    now_s, texts = time.time(), defaultdict[str, list[str]](list)
    for each in problems:
        texts[each.subject].append(each.text)
    ordered = sorted(fleet, key=lambda view: (view.name not in texts, view.name))
    rows = [_row(view, texts.get(view.name, []), now_s) for view in ordered[:MOST_ROWS]]
    troubled = sum(view.name in texts for view in fleet)
    with best_effort("the table of nodes"):
        show("table", json.dumps(rows), f"{len(fleet)} nodes, {troubled} with problems", KEY)


def _event(name: str, known: Known, at_s: float) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "event": name,
        "occurred": datetime.fromtimestamp(at_s, UTC).isoformat(),
        "resource": {
            "prefect.resource.id": resource_of(known.subject),
            "prefect.resource.name": known.subject,
        },
        "payload": {"kind": known.kind, "text": known.text},
    }


def resource_of(subject: str) -> str:
    """Return the id of a resource: of a node, of a group, or of a part of home.

    Example:
        >>> resource_of("cam-1"), resource_of("group night")
        ('backhaul.node.cam-1', 'backhaul.group.night')
    """
    kind, _, group = subject.partition(" ")
    return f"backhaul.{kind}.{group}" if group else f"backhaul.node.{subject}"


def _row(view: NodeView, problems: Sequence[str], now_s: float) -> dict[str, Any]:
    status = view.status
    row: dict[str, Any] = {"node": view.name, "heard, s ago": round(now_s - view.told_s)}
    if status is not None:
        totals = {name: status.totals.get(name, 0) for name in ("seen", "chosen", "sent")}
        row |= {"model": status.model[:12], "policies": ", ".join(status.policies), **totals}
        row |= {"waiting": status.waiting, "bytes up": status.totals.get("up_bytes", 0)}
    return {**row, "problems": "; ".join(problems)}
