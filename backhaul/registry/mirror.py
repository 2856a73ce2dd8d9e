"""A copy of a run's registry in an MLflow model registry: versions, aliases, tags, figures.

Ours is the truth: what is decided in MLflow changes nothing here, and each mirroring makes the
copy as ours is. A version of ours is a version of the registered model, under a number that
MLflow gives, with the tag ``backhaul.version``; a run of the experiment ``backhaul models``
holds its figures and its file.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from backhaul.errors import StoreError
from backhaul.registry.cards import Card
from backhaul.registry.overview import Registry, read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_bytes
from backhaul.untrusted import one_line
from backhaul.values.artifacts import Artifact

EXPERIMENT = "backhaul models"
VERSION, RUN = "backhaul.version", "backhaul.run"
_MODEL = "model"


def mirror(files: RegistryFiles, address: str) -> int:
    """Copy a run's registry into the MLflow server at an address, and return its versions.

    What is there already is brought up to date; to do so again changes nothing. The file of a
    version is its model for nodes, or its checkpoint where it was not exported.

    Args:
        files: Where the registry lies.
        address: Tracking URI of MLflow, such as ``http://127.0.0.1:5000``.

    Raises:
        StoreError: If MLflow cannot be reached, or refuses something.
    """
    registry = read_registry(files)
    name = model_name(files.run.name)
    client = MlflowClient(address, registry_uri=address)
    try:
        numbers = _known(client, name)
        for card in registry.cards.values():
            if card.version not in numbers:
                numbers[card.version] = _create(client, name, card)
            _describe(client, name, numbers[card.version], registry, card)
        _alias(client, name, {a: numbers[v] for a, v in registry.history.aliases.items()})
    except (MlflowException, OSError) as error:  # OSError: of requests, of files
        said = one_line(f"{address}: MLflow: {error}")
        raise StoreError(without_login(said)) from None
    return len(registry.cards)


def without_login(text: str) -> str:
    """Return a text whose addresses have no user and password.

    Example:
        >>> without_login("at http://me:secret@host:5000: refused")
        'at http://host:5000: refused'
    """
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def model_name(run: str) -> str:
    """Return the name of the registered model of a run: MLflow allows neither / nor : there.

    Example:
        >>> model_name("cars/seed3")
        'cars-seed3'
    """
    return re.sub(r"[/:]", "-", run)


def _known(client: MlflowClient, name: str) -> dict[int, str]:
    """Return the numbers in MLflow of the versions that are there, by their numbers here."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, tags={RUN: name}, description=_ABOUT)
    found: dict[int, str] = {}
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found |= {int(v.tags[VERSION]): v.version for v in page if VERSION in v.tags}
        token = page.token
        if not token:
            return found


def _create(client: MlflowClient, name: str, card: Card) -> str:
    """Register a version with its file and figures, and return its number in MLflow."""
    run_id = _run_of(client, name, card)
    file = card.current.artifact if card.exported is None else card.exported.file
    _upload(client, run_id, file)
    tags = {VERSION: str(card.version)}
    source = f"{client.get_run(run_id).info.artifact_uri}/{_MODEL}"
    return str(client.create_model_version(name, source, run_id, tags=tags).version)


def _run_of(client: MlflowClient, name: str, card: Card) -> str:
    """Return the run for a version; one that was begun before is gone on with."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    where = (
        client.create_experiment(EXPERIMENT) if experiment is None else experiment.experiment_id
    )
    own = f"tags.`{RUN}` = '{name}' and tags.`{VERSION}` = '{card.version}'"
    if begun := client.search_runs([where], own, max_results=1):
        return str(begun[0].info.run_id)
    tags = {RUN: name, VERSION: str(card.version)}
    run = client.create_run(where, int(card.made_s * 1000), tags, run_name=card.name)
    for key, value in _figures(card).items():
        client.log_metric(run.info.run_id, key, value)
    for key, value in _parameters(card).items():
        client.log_param(run.info.run_id, key, value)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _upload(client: MlflowClient, run_id: str, file: Artifact) -> None:
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / file.uri.rpartition("/")[2]
        local.write_bytes(read_bytes(file))
        client.log_artifact(run_id, str(local), _MODEL)


def _describe(
    client: MlflowClient, name: str, number: str, registry: Registry, card: Card
) -> None:
    verdict = registry.verdict(card.version)
    tags = {"backhaul.state": registry.state(card.version), "backhaul.made_by": card.made_by}
    if card.parent is not None:
        tags["backhaul.parent"] = str(card.parent)
    if verdict is not None:
        tags |= {"backhaul.decided_by": verdict.by, "backhaul.reason": verdict.reason}
    known = client.get_model_version(name, number).tags
    for key, value in tags.items():
        if known.get(key) != value:
            client.set_model_version_tag(name, number, key, value)


def _alias(client: MlflowClient, name: str, aliases: dict[str, str]) -> None:
    known = client.get_registered_model(name).aliases
    for alias in ("champion", "candidate", "canary"):
        if alias in aliases and str(known.get(alias)) != aliases[alias]:
            client.set_registered_model_alias(name, alias, aliases[alias])
        elif alias in known and alias not in aliases:
            client.delete_registered_model_alias(name, alias)


def _figures(card: Card) -> dict[str, float]:
    """Return the figures of a version; the ends of their intervals are figures of their own."""
    every = {
        f"{name}{end}": value
        for name, each in card.measures.items()
        for end, value in (("", each.value), ("_low", each.low), ("_high", each.high))
    }
    allowed = {re.sub(r"[^\w\-. /]", "_", name): value for name, value in every.items()}
    sent = {"images_sent": float(card.images_sent), "bytes_sent": float(card.bytes_sent)}
    return sent | {name: value for name, value in allowed.items() if value is not None}


def _parameters(card: Card) -> dict[str, Any]:
    every = {
        "method": card.method,
        "batch": card.batch,
        "epoch": card.current.epoch,
        "config_digest": card.config_digest,
        "weights_sha256": card.current.artifact.sha256,
        "images_digest": card.seen.content_digest,
        "code": card.code.commit,
    }
    return {name: value for name, value in every.items() if value not in (None, "")}


_ABOUT = "Mirrored by Backhaul, whose registry decides; changes made here do not reach it."
