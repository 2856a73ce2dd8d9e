"""A Prefect worker that starts flow runs as processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import httpx
import psutil

from backhaul.learn.training.process import MLFLOW
from deployments.local.api import Api
from deployments.local.service import Service, find_process, tell


@dataclass
class Worker(Service):
    """One worker.

    Args:
        folder: Where its log lies; the worker is called like it.
        pool: Work pool that it serves.
        queues: Queues of the pool that it serves; none = all.
        limit: How many flow runs it has at once.
        variables: Its environment, which its flow runs get: server, store, devices.
    """

    pool: str
    queues: tuple[str, ...]
    limit: int
    variables: Mapping[str, str] = field(repr=False)

    patience_s: ClassVar[float] = 60
    inherits: ClassVar[tuple[str, ...]] = ("*",)  # its flow runs may be of a user's code

    @property
    def name(self) -> str:
        """Name under which the server knows it."""
        return self.folder.name

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"worker {self.name}"

    @property
    def address(self) -> str:
        """Pool and queues."""
        return f"pool {self.pool}" + (
            f", queues {', '.join(self.queues)}" if self.queues else ""
        )

    def command(self) -> list[str]:
        """Return the command."""
        queues = [text for queue in self.queues for text in ("--work-queue", queue)]
        return [
            *(sys.executable, "-m", "prefect", "worker", "start", "--type", "process"),
            *("--name", self.name, "--pool", self.pool, *queues, "--limit", str(self.limit)),
        ]

    @property
    def outdated(self) -> bool:
        """Whether it runs, and was started with other queues or another limit."""
        process = find_process(self.folder)
        return process is not None and process.cmdline() != self.command()

    def own_environment(self) -> Mapping[str, str]:
        """Return its environment, with MLflow's login for trainings that report to it."""
        mlflow = {name: v for name, v in os.environ.items() if name.startswith(MLFLOW)}
        return {**mlflow, **self.variables}

    def ready(self) -> bool:
        """Return whether the server has heard of it lately."""
        try:
            workers = Api(self.variables).find(f"work_pools/{self.pool}/workers")
        except httpx.TransportError:
            return False
        heard = [w["last_heartbeat_time"] for w in workers if w["name"] == self.name]
        process = find_process(self.folder)
        if process is None:
            return False
        began = datetime.fromtimestamp(process.create_time(), UTC)
        return any(datetime.fromisoformat(each) > began for each in heard if each)

    def ask_to_end(self) -> list[psutil.Process]:
        """Ask it and its flow runs to end; without that it would wait for them to finish."""
        tree = super().ask_to_end()
        tell([each for each in tree[1:] if each.ppid() == tree[0].pid], signal.SIGTERM)
        return tree
