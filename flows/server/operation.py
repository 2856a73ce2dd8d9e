"""Checks of a Prefect server that works by itself: automations, waiting runs, its database."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from backhaul.health.check import Answer, ok, warning
from flows.server.health import Server

ZOMBIES = "backhaul: crash flow runs without a heartbeat"
STUCK = "backhaul: crash flow runs that do not begin"
ALARM = "backhaul: alarm on failure"
NODES = "backhaul: alarm on nodes"
MODELS = "backhaul: alarm on models"

PROBLEM, WELL = "backhaul.problem.begun", "backhaul.problem.over"
"""Events of a node, a group, or what publishes: something is wrong, and is no longer."""

MODEL = "backhaul.model"
"""Events of a run: what became of a version of its model, as ``backhaul.model.awaiting``."""

LABELLED = "backhaul.labelled"
"""The event that stands for one labelled image."""

PATIENCE = timedelta(minutes=10)
"""How long a run may wait for a slot before that is worth a warning: a training takes long."""
MANY_RUNS = 1_000_000
"""Task runs that a server keeps before it is worth to let it forget old ones."""
GB = 10**9


def check_automations(server: Server) -> Answer:
    """Say whether the server notices flow runs whose process or machine is gone."""
    with server.client() as client:
        states = {name: _enabled(client, name) for name in (ZOMBIES, STUCK)}
    if missing := [name for name, enabled in states.items() if enabled is None]:
        found = f"missing: {', '.join(missing)}: lost flow runs stay Running"
        return warning(found, "make automations  (in the checkout)")
    if off := [name for name, enabled in states.items() if not enabled]:
        return warning(f"switched off: {', '.join(off)}", "switch it on in the UI, Automations")
    return ok("lost flow runs are marked Crashed, those that do not begin Stuck")


def check_alarm(server: Server) -> Answer:
    """Say whether somebody gets a message when a run fails."""
    with server.client() as client:
        enabled = _enabled(client, ALARM)
    if enabled is None:
        return warning(
            "nobody is told when a run fails",
            "BACKHAUL_ALARM_BLOCK=TYPE/NAME make automations  (TYPE/NAME: a notification "
            "block of the UI)",
        )
    if not enabled:
        return warning("the alarm is switched off", "switch it on in the UI, Automations")
    return ok("a message is sent when a run fails")


def _enabled(client: SyncPrefectClient, name: str) -> bool | None:
    """Return whether one of the automations of a name is on; None if there is none."""
    found = client.read_automations_by_name(name)
    return any(each.enabled for each in found) if found else None


def check_waiting(server: Server, pools: Iterable[str]) -> Answer:
    """Say how many flow runs go on in each work pool, and how long others wait for a slot."""
    found, late = [], []
    with server.client() as client:
        for pool in pools:
            waiting = _late(client, pool)
            found.append(f"{pool}: {_at_work(client, pool)} running, {len(waiting)} late")
            late += [(since, pool) for since in waiting]
    told = "; ".join(found)
    waited = max((datetime.now(UTC) - since for since, _ in late), default=timedelta(0))
    if waited < PATIENCE:
        return ok(told)
    pool = min(late)[1]
    minutes = waited // timedelta(minutes=1)
    return warning(
        f"{told}; one waits for a slot of {pool} since {minutes} min",
        f"prefect flow-run ls --state-type RUNNING  (what runs; more at once take another "
        f"worker of pool {pool}, or a larger --limit)",
    )


def _late(client: SyncPrefectClient, pool: str) -> list[datetime]:
    """Return since when flow runs wait that should have begun, the first ones first."""
    body = {
        "flow_runs": {"state": {"name": {"any_": ["Late"]}}},
        "work_pools": {"name": {"any_": [pool]}},
        "sort": "EXPECTED_START_TIME_ASC",
    }
    answer = client.request("POST", "/flow_runs/filter", json=body).raise_for_status().json()
    return [datetime.fromisoformat(each["expected_start_time"]) for each in answer]


def _at_work(client: SyncPrefectClient, pool: str) -> int:
    """Return how many flow runs of a pool have a slot."""
    body = {
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}},
        "work_pools": {"name": {"any_": [pool]}},
    }
    return int(client.request("POST", "/flow_runs/count", json=body).raise_for_status().json())


def check_database(server: Server) -> Answer:
    """Say how much a server keeps, and how large its database is, where its URL is set here."""
    with server.client() as client:
        flow_runs = client.request("POST", "/flow_runs/count").raise_for_status().json()
        task_runs = client.request("POST", "/task_runs/count").raise_for_status().json()
    kept = f"{flow_runs:,} flow runs and {task_runs:,} task runs"
    if url := os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        kept = f"{asyncio.run(database_bytes(url)) / GB:.2f} GB, {kept}"
    if task_runs < MANY_RUNS:
        return ok(kept)
    return warning(
        kept,
        'set PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=\'["events", "flow_runs"]\' in the '
        "server's environment: what ended long ago is then forgotten",
    )


async def database_bytes(url: str) -> int:
    """Return the size of a Prefect database, SQLite or PostgreSQL, by its URL."""
    database = make_url(url)
    if database.get_backend_name() == "sqlite":
        file = Path(database.database or "")
        parts = [file, file.with_name(f"{file.name}-wal")]
        return sum(part.stat().st_size for part in parts if part.is_file())
    engine = create_async_engine(database)
    try:
        async with engine.connect() as connection:
            size = await connection.execute(text("SELECT pg_database_size(current_database())"))
            return int(size.scalar_one())
    finally:
        await engine.dispose()
