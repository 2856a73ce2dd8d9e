"""All services of production on this machine, in one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import httpx

from deployments.local.api import Api
from deployments.local.gpus import gpus
from deployments.local.identities import Identity, Keys, Role
from deployments.local.label_studio import TOKEN_LENGTH, Database, LabelStudioServer
from deployments.local.ports import claim_ports, read_ports
from deployments.local.postgresql import USER, PostgreSQL
from deployments.local.prefect_server import PrefectServer
from deployments.local.private import kept_secret, write_private
from deployments.local.registration import (
    ROOT,
    automate,
    create_labelling_block,
    create_pools,
    create_store_block,
    deploy,
    digest_of_sources,
    order_queues,
    register_blocks,
)
from deployments.local.seaweedfs import SeaweedFS
from deployments.local.service import Service
from deployments.local.shellfile import shell_file
from deployments.local.worker import Worker

BUCKET = "backhaul"
PARENTS_AT_ONCE = 4
"""Campaigns, or hours, that a worker of the pool `cpu` has at once; they mostly wait."""

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "YOLO_OFFLINE": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}

EARLY = {"PREFECT_WORKER_PREFETCH_SECONDS": "30"}
"""Lets an hour begin at its time: its process needs seconds to load, and then waits for it."""

Step = Callable[[str], AbstractContextManager[None]]
"""Says what begins, and what it took when it is done."""


class Stack:
    """PostgreSQL, SeaweedFS, a Prefect server, workers, and where it is wanted Label Studio.

    Args:
        folder: Where all of it lies: data, logs, generated secrets, remembered ports.
        ports: The ports of each service, see `deployments.local.ports`.
    """

    def __init__(self, folder: Path, ports: Mapping[str, Mapping[str, int]]) -> None:
        self.folder = folder
        secrets = folder / "secrets"
        self.login_file = secrets / "login"
        self.postgresql = PostgreSQL(
            folder / "postgresql",
            ports["postgresql"]["sql"],
            kept_secret(secrets / "postgresql"),
        )
        self.keys = Keys(folder / "keys")
        self.seaweedfs = SeaweedFS(
            folder / "seaweedfs",
            ports["seaweedfs"],
            BUCKET,
            kept_secret(secrets / "s3"),
            self.keys.identities,
        )
        self.server = PrefectServer(
            folder / "prefect",
            ports["prefect"]["api"],
            self.postgresql.url("prefect"),
            kept_secret(self.login_file, "admin:"),
        )
        self.labelling = self._labelling(ports) if is_labelling(folder) else None
        plain, self.gpus = self._of_worker(""), gpus() or ("", "")
        self.workers = [
            Worker(folder / "cpu", "cpu", (), PARENTS_AT_ONCE, plain),
            Worker(folder / "hours", "cpu", ("hours",), PARENTS_AT_ONCE, plain | EARLY),
        ]
        for number, gpu in enumerate(self.gpus):
            own = f"gpu-{number}"
            queues, variables = ("hours", own, "default"), self._of_worker(gpu)
            self.workers.append(Worker(folder / own, "gpu", queues, 1, variables))

    def _labelling(self, ports: Mapping[str, Mapping[str, int]]) -> LabelStudioServer:
        secrets = self.folder / "secrets"
        return LabelStudioServer(
            labelling_folder(self.folder),
            ports["labelling"]["http"],
            kept_secret(secrets / "labelling"),
            kept_secret(secrets / "labelling-token")[:TOKEN_LENGTH],
            Database(self.postgresql.port, USER, self.postgresql.password, "labelling"),
        )

    @property
    def groups(self) -> list[list[Service]]:
        """All services in the order of their start; those of one group start together."""
        labelling = [] if self.labelling is None else [self.labelling]
        servers = [self.seaweedfs, self.server, *labelling]
        return [[self.postgresql], servers, [*self.workers]]

    @property
    def services(self) -> list[Service]:
        """All services in the order of their start."""
        return [service for group in self.groups for service in group]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use the stack."""
        return {
            **self.server.environment,
            "PREFECT_HOME": str(self.folder / "prefect" / "client"),
            **self.seaweedfs.environment,
            **({} if self.labelling is None else self.labelling.environment),
            "BACKHAUL_ROOT": str(ROOT),
            "PYTHONPATH": str(ROOT),
            **QUIET,
        }

    def _of_worker(self, gpu: str) -> dict[str, str]:
        return {
            **self.environment,
            "CUDA_VISIBLE_DEVICES": gpu,
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_WORKER_QUERY_SECONDS": "2",  # a GPU is idle until its worker asks again
        }

    def start(self, step: Step) -> None:
        """Start what does not run, and tell the server what this checkout has.

        Raises:
            InputError: If a service does not start, or a deployment is refused.
        """
        databases, servers, workers = self.groups
        _start(databases, step)
        self.postgresql.create_database("prefect")
        if self.labelling is not None:
            self.postgresql.create_database("labelling")
        _start(servers, step)
        if self._write_environment():
            _stop(workers, step)  # they have the old addresses
        _stop([worker for worker in self.workers if worker.outdated], step)
        self._register(step)
        _start(workers, step)

    def _write_environment(self) -> bool:
        """Write the file that a shell reads; returns whether it changed."""
        path, text = self.folder / "env", shell_file(self.environment)
        changed = not path.exists() or path.read_text() != text
        write_private(path, text)
        return changed

    def _register(self, step: Step) -> None:
        """Register pools, blocks and deployments, unless just that was done before."""
        done = self.postgresql.folder / "registered"  # it goes when the database goes
        labelling = "" if self.labelling is None else f" {self.labelling.address}"
        digest = f"{digest_of_sources()} {len(self.gpus)}{labelling}"
        if done.exists() and done.read_text() == digest:
            return
        with step("creating the work pools cpu and gpu"):
            create_pools(self.environment)
            order_queues(self.environment, len(self.gpus), self.folder / "queues.log")
        with step("registering the blocks"):
            register_blocks(self.environment, self.folder / "blocks.log")
            create_store_block(self.environment, BUCKET, self.folder / "store-block.log")
            if self.labelling is not None:
                create_labelling_block(self.environment, self.folder / "labelling-block.log")
        with step("deploying the flows of prefect.yaml"):
            deploy(self.environment, self.folder / "deploy.log")
        with step("creating the automations"):
            automate(self.environment, self.folder / "automations.log")
        done.write_text(digest)

    def add(self, identity: Identity, step: Step) -> Path:
        """Give keys to a node, an annotator or another, and return the file with them.

        The object store learns of them by a restart; what uses it meanwhile waits.

        Raises:
            InputError: If it has keys already.
        """
        file = self.keys.add(identity, BUCKET, self.seaweedfs.address)
        self._let_know(step)
        return file

    def revoke(self, role: Role, name: str, all_but: str | None, step: Step) -> list[str]:
        """Take keys away, see `Keys.revoke`; the object store is restarted, as by `add`."""
        gone = self.keys.revoke(role, name, all_but)
        self._let_know(step)
        return gone

    def _let_know(self, step: Step) -> None:
        """Let the object store know who has keys now."""
        self.seaweedfs.identities = self.keys.identities
        if self.seaweedfs.running:
            with step(f"restarting {self.seaweedfs.title}"):
                self.seaweedfs.stop()
                self.seaweedfs.start()

    def stop(self, step: Step) -> None:
        """Stop all that runs, in reverse order; data, secrets and ports stay.

        Flow runs are cut off, and marked so: a retry goes on with what they had finished.
        """
        *servers, workers = self.groups
        _stop(workers, step)
        if self.server.running:
            self._mark_cut_off(step)
        for group in reversed(servers):
            _stop(group, step)

    def _mark_cut_off(self, step: Step) -> None:
        try:
            with step("marking flow runs that were cut off as Crashed"):
                Api(self.environment).crash_running("the local stack was stopped")
        except httpx.HTTPError as error:  # the database may be gone; all else is to be stopped
            with step(f"not marked, the server does not answer: {error}"):
                pass


def _start(group: list[Service], step: Step) -> None:
    missing = [service for service in group if not service.running]
    for service in missing:
        service.launch()
    for service in group:
        reported = step(f"starting {service.title} ({service.address})")
        with reported if service in missing else nullcontext():
            service.wait_until_ready()


def _stop(group: list[Service], step: Step) -> None:
    ending = [(service, service.ask_to_end()) for service in group if service.running]
    for service, processes in ending:
        with step(f"stopping {service.title}"):
            service.wait_until_gone(processes)


def labelling_folder(folder: Path) -> Path:
    """Return where Label Studio lies in the folder of a stack."""
    return folder / "labelling"


def is_labelling(folder: Path) -> bool:
    """Return whether Label Studio belongs to the stack in a folder."""
    return labelling_folder(folder).exists()


def known_stack(folder: Path) -> Stack | None:
    """Return the stack that was started in a folder before; None = there was none."""
    started = (folder / "ports.json").exists()
    return Stack(folder.absolute(), read_ports(folder)) if started else None


def claimed_stack(folder: Path, labels: bool = False) -> Stack:
    """Return the stack of a folder, to be started: with ports that are free.

    Args:
        folder: Where all of it lies.
        labels: Whether Label Studio belongs to it from now on.
    """
    if labels:
        labelling_folder(folder).mkdir(parents=True, exist_ok=True)
    return Stack(folder.absolute(), claim_ports(folder.absolute()))
