"""What is due every few minutes where nodes are: alarms, rollouts, and signatures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.errors import InputError, StoreError
from backhaul.fleet.alarms import keep_news
from backhaul.fleet.nodes import NodeView, read_fleet
from backhaul.fleet.problems import Problem
from backhaul.fleet.watching import Watch, problems_now, rollouts_in
from backhaul.fleet.windows import recent_windows
from backhaul.inbox.summary import Summary
from backhaul.publication.keys import read_keys
from backhaul.publication.publishing import refresh_if_due
from backhaul.publication.repository import Repository
from backhaul.publication.rollouts import advance
from backhaul.storage.places import require_bucket
from backhaul.untrusted import one_line
from blocks.opening import resolve
from flows.forms import Form
from flows.server.fleet import publish_fleet, tell

WatchForm: TypeAlias = Annotated[Watch, Form()]
AS_USUAL = Watch()
SHOWN_S, EVERY_S = 3_600, 300


@flow(name="fleet", flow_run_name="fleet")
def fleet(
    store: str, keys: str | None = None, days: float = 7.0, watch: WatchForm = AS_USUAL
) -> State[None]:
    """Say which problems of nodes have begun or ended, and advance what is published.

    Each problem is an event as it begins, and one as it ends; what was told is kept in the
    store. Rollouts go on, and metadata are signed anew, only where the online keys are.

    Args:
        store: The store that nodes send to: a folder, s3:// or block:// address.
        keys: Folder of `backhaul models keys` on the worker; None = nothing is published.
        days: What is published is good for so long.
        watch: From where on something is a problem.
    """
    root = resolve(store)
    require_bucket(root)
    now_s = time.time()
    nodes = read_fleet(root, now_s, watch.late_min * 60)
    published = [] if keys is None else _publish(root, keys, days, nodes, now_s)
    windows, damaged = _windows(root, now_s)
    found = [*problems_now(root, watch, nodes, windows, now_s), *published, *damaged]
    new = keep_news(root, found, now_s, tell)
    for each in new.begun:
        get_run_logger().warning("%s: %s", each.subject, each.text)
    for each in new.over:
        get_run_logger().info("%s: over: %s", each.subject, each.text)
    # Each version of an artifact stays in the server's database: not every five minutes.
    if new.is_first or new.begun or new.over or now_s % SHOWN_S < EVERY_S:
        publish_fleet(nodes, found)
    return Completed(message=f"{len(nodes)} nodes, {len(found)} problems, {len(new.begun)} new")


def _windows(root: str, now_s: float) -> tuple[dict[str, list[Summary]], list[Problem]]:
    """Return what nodes told in the last day; where home's record is damaged, that alone."""
    try:
        return recent_windows(root, now_s), []
    except StoreError as error:
        return {}, [Problem("home windows", "record", one_line(str(error)))]


def _publish(
    root: str, keys: str, days: float, nodes: Sequence[NodeView], now_s: float
) -> list[Problem]:
    """Advance rollouts and sign anew what is due; return what kept from it."""
    try:
        repository = Repository(root, read_keys(Path(keys).expanduser()), days)
        expires = refresh_if_due(repository, datetime.now(UTC))
    except InputError as error:
        return [Problem("home publication", "keys", one_line(str(error)))]
    if expires is not None:
        get_run_logger().info("what is published was signed anew, until %s", expires)
    problems = list[Problem]()
    for plan in rollouts_in(root)[0]:
        if plan.state not in {"going", "paused"}:
            continue
        try:
            after = advance(repository, plan.group, nodes, now_s)
        except InputError as error:
            problems.append(Problem(f"group {plan.group}", "rollout", one_line(str(error))))
            continue
        get_run_logger().info(
            "rollout of %s: %s, for %.0f %%: %s",
            *(after.group, after.state, 100 * after.cohort, after.why),
        )
    return problems
