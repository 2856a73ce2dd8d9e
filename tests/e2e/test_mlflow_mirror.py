"""A run's registry in a real MLflow server: versions, aliases, tags, files; twice is once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from backhaul.cli.models import models
from backhaul.errors import StoreError
from backhaul.layout import RunFiles
from backhaul.registry.cards import read_card
from backhaul.registry.decisions import decide
from backhaul.registry.mirror import EXPERIMENT, VERSION, mirror
from backhaul.registrylayout import RegistryFiles
from deployments.local.beside import ROOT, Beside
from deployments.local.ports import free_port
from deployments.local.service import Service
from tests.commands import called
from tests.services import running
from tests.versions import RUN, registered, unpacked_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.services,
    pytest.mark.index,  # the environment of the server is made of it, once
    pytest.mark.timeout(900),
]
MLFLOW = Beside("MLflow", ROOT / ".mlflow", ROOT / "tests" / "mlflow.txt")


@dataclass
class Mlflow(Service):
    """An MLflow server with its registry in a file."""

    port: int

    title = "MLflow server"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        MLFLOW.make()
        super().prepare()

    def command(self) -> list[str]:
        return [
            *(str(MLFLOW.program("mlflow")), "server", "--port", str(self.port)),
            *("--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"),
            *("--artifacts-destination", str(self.folder / "artifacts")),
            *("--workers", "1"),
        ]

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    folder = tmp_path_factory.mktemp("mlflow") / "server"
    with running(Mlflow(folder, free_port())) as service:
        yield service


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    return unpacked_run(tmp_path)


def versions(client: MlflowClient) -> dict[str, dict[str, str]]:
    return {v.version: v.tags for v in client.search_model_versions(f"name = '{RUN}'")}


def test_the_copy_follows_the_registry(server: Mlflow, run: RunFiles, tmp_path: Path) -> None:
    registered(run)
    client = MlflowClient(server.address)
    command = ("mirror", run.view.folder, "--to", server.address)
    assert "finished has 3 version(s)" in called(models, *command)
    first = versions(client)
    assert {tags[VERSION]: tags["backhaul.state"] for tags in first.values()} == {
        "1": "champion",
        "2": "rejected",
        "3": "awaits approval",
    }
    model = client.get_registered_model(RUN)
    assert model.aliases.keys() == {"champion", "candidate"}

    decide(RegistryFiles(run), 3, "accepted", by="ann", reason="looks good")
    called(models, *command)
    again = versions(client)
    assert again.keys() == first.keys()
    champion = client.get_model_version_by_alias(RUN, "champion")
    assert champion.tags[VERSION] == "3"
    assert champion.tags["backhaul.decided_by"] == "ann"
    assert client.get_registered_model(RUN).aliases.keys() == {"champion"}

    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 3
    assert champion.run_id is not None
    told = client.get_run(champion.run_id)
    assert told.data.metrics["gain"] == pytest.approx(0.03)
    assert told.data.metrics["gain_low"] == pytest.approx(0.01)
    [file] = client.list_artifacts(champion.run_id, "model")
    copy = Path(client.download_artifacts(champion.run_id, file.path, str(tmp_path)))
    weights = read_card(RegistryFiles(run), 3).current.artifact
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == weights.sha256


def test_a_copy_that_was_cut_off_goes_on(server: Mlflow, run: RunFiles) -> None:
    other = RunFiles(run.root, "hours")
    files = registered(run)
    moved = RegistryFiles(other)
    Path(moved.run.records).mkdir(exist_ok=True)
    Path(files.folder).rename(moved.folder)
    client = MlflowClient(server.address)
    mirror(moved, server.address)
    last = max(client.search_model_versions("name = 'hours'"), key=lambda v: int(v.version))
    client.delete_model_version("hours", last.version)  # its run is there, it is not
    mirror(moved, server.address)
    tags = [v.tags[VERSION] for v in client.search_model_versions("name = 'hours'")]
    assert sorted(tags) == ["1", "2", "3"]
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    own = client.search_runs([experiment.experiment_id], "tags.`backhaul.run` = 'hours'")
    assert len(own) == 3


def test_a_server_that_is_not_there_is_said(
    run: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    files = registered(run)
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreError, match=f"{address}: MLflow: "):
        mirror(files, address)
