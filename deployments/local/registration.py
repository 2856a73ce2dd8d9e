"""Tell a Prefect server what this checkout has: work pools, blocks and deployments."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from backhaul.errors import InputError
from deployments.local.api import Api
from deployments.local.service import BASICS, inherited

ROOT = Path(__file__).resolve().parents[2]
STORE_BLOCK = "store"
LABELLING_BLOCK = "labels"
LAST_LINES = 5
SOURCES = ("flows", "blocks", "backhaul")
"""What the forms of the deployments are made of, beside prefect.yaml."""


def digest_of_sources() -> str:
    """Return a digest of all that is registered; another one means to register again."""
    files = [ROOT / "prefect.yaml", ROOT / "deployments" / "automations.py"]
    for folder in SOURCES:
        files += sorted((ROOT / folder).rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def create_pools(environment: Mapping[str, str]) -> None:
    """Create the work pools; what is there stays as it is."""
    from prefect.workers.process import ProcessWorker  # noqa: PLC0415 - takes seconds

    api = Api(environment)
    template = ProcessWorker.get_default_base_job_template()
    for pool in ("cpu", "gpu"):
        pool_values = {"name": pool, "type": "process", "base_job_template": template}
        api.create("work_pools/", pool_values)


def order_queues(environment: Mapping[str, str], gpus: int, log: Path) -> None:
    """Create or update the queues of the work pools, which are there.

    Raises:
        InputError: If Prefect refuses.
    """
    _python(environment, log, "-m", "flows.server.queues", str(gpus))


def register_blocks(environment: Mapping[str, str], log: Path) -> None:
    """Register the types of blocks.

    Raises:
        InputError: If Prefect refuses.
    """
    _python(environment, log, "-m", "prefect", "block", "register", "--module", "blocks")


def create_store_block(environment: Mapping[str, str], bucket: str, log: Path) -> None:
    """Create the block that a config calls block://store; its keys stay in the environment.

    Args:
        environment: Environment of the process that registers the block.
        bucket: Name of the bucket.
        log: File for the output.

    Raises:
        InputError: If Prefect refuses.
    """
    named = {"name": {"any_": [STORE_BLOCK]}}
    if not Api(environment).find("block_documents", block_documents=named):
        code = f"import blocks; blocks.ObjectStore(bucket={bucket!r}).save({STORE_BLOCK!r})"
        _python(environment, log, "-c", code)


def create_labelling_block(environment: Mapping[str, str], log: Path) -> None:
    """Create or update the block LabelStudio that a config calls ``block: labels``.

    Args:
        environment: Environment of the process that registers the block; it has the token.
        log: File for the output.

    Raises:
        InputError: If Prefect refuses.
    """
    code = (
        "import os, blocks; "
        "blocks.LabelStudio(address=os.environ['LABEL_STUDIO_URL'], "
        "token=os.environ['LABEL_STUDIO_API_KEY'])"
        f".save({LABELLING_BLOCK!r}, overwrite=True)"
    )
    _python(environment, log, "-c", code)


def deploy(environment: Mapping[str, str], log: Path) -> None:
    """Create or update all deployments of prefect.yaml.

    Raises:
        InputError: If Prefect refuses.
    """
    _python(environment, log, "-m", "prefect", "--no-prompt", "deploy", "--all")


def automate(environment: Mapping[str, str], log: Path) -> None:
    """Create or update the automations; the deployments that they run are there.

    Raises:
        InputError: If Prefect refuses.
    """
    _python(environment, log, "-m", "deployments.automations")


def _python(environment: Mapping[str, str], log: Path, *arguments: str) -> None:
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**inherited((*BASICS, "BACKHAUL_*")), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        last_lines = "\n".join(log.read_text().splitlines()[-LAST_LINES:])
        raise InputError(f"`python {' '.join(arguments)}` failed, see {log}:\n{last_lines}")
