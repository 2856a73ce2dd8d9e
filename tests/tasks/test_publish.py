"""What an operator sees in Prefect's UI: artifacts, names of runs, and lines of the log."""

import base64
import io
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from prefect import flow, task
from prefect.client.orchestration import get_client

from backhaul.campaign.outcome import MethodOutcome, RunOutcome
from backhaul.campaign.records import RoundRecord, Standing, Verdict
from backhaul.campaign.rounds import write_round
from backhaul.campaign.runrecords import BEGINNING, OUTCOME
from backhaul.campaign.setting import Beginning
from backhaul.layout import RunFiles
from backhaul.storage.objects import replace, write_bytes, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Arrangement, Sent, TrainingResult
from flows.server import publish
from flows.server.publish import key_of, publish_models, publish_round, publish_run
from tasks import progress
from tasks import stage as stages
from tasks.evaluation import evaluate
from tasks.inference import infer
from tasks.progress import Progress
from tasks.stage import Step, stage
from tasks.training import train_detector
from tests.versions import registered, unpacked_run

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(autouse=True)
def _somebody_looks_at_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take that of the tests for one of the user's: nothing is shown on a temporary one."""
    monkeypatch.setattr(publish, "is_temporary", lambda: False)


def in_a_flow(call: Callable[[], object]) -> None:
    @flow
    def doing() -> None:
        call()

    doing()


def artifact(path: str) -> Any:
    """An artifact as the server has it."""
    with get_client(sync_client=True) as client:
        return client.request("GET", f"/artifacts/{path}").json()  # type: ignore[arg-type]


def shown(key: str) -> Any:
    """The data of the latest artifact of a key."""
    return artifact(f"{key}/latest")["data"]


def picture(markdown: str) -> bytes:
    (encoded,) = re.findall(r"!\[[^\]]*\]\(data:image/png;base64,([^)]+)\)", markdown)
    return base64.b64decode(encoded)


class Lines(logging.Handler):
    """What a logger was told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("of a run")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What our modules log in a run."""
    lines = Lines()
    for module in (publish, progress, stages):
        monkeypatch.setattr(module, "get_run_logger", lambda: lines.logger)
    return lines.lines


def record(root: str, method: str, batch: int | None, score: float) -> RoundRecord:
    """A round that trained epochs 4 to 6, and sent two of nine images."""
    checkpoint = Checkpoint(epoch=6, artifact=write_bytes(root, b"weights", ".pt"))
    history = pd.DataFrame(
        {"epoch": [4, 5, 6], "train_loss": [3.0, 2.0, 1.0], "valid_loss": [3.0, None, 2.0]}
    )
    metrics = pd.DataFrame(
        {
            "test_set": ["old_test", "common", "common"],
            "class": ["", "", "car"],
            "mAP50": [0.9, score, 0.8],
        }
    )
    nothing = write_value(root, pd.DataFrame({"a": [1]}))
    training = TrainingResult(
        checkpoints=(checkpoint,),
        first_epoch=4,
        epochs=3,
        best_epoch=6,
        history=write_value(root, history),
        steps=nothing,
        stopped_because="validation loss rose",
        resumed=False,
        n_train=1234,
        n_valid=2,
        seconds=61.4,
    )
    sent = Sent(
        selection=nothing,
        chosen=nothing,
        n_images=2,
        n_bytes=4096,
        pool_images=9,
        pool_bytes=9000,
    )
    return RoundRecord(
        method=method,
        batch=batch,
        sent=None if batch is None else sent,
        training=training,
        evaluation=write_value(root, metrics),
        standing=Standing(seen=nothing, checkpoints=(checkpoint,), current=checkpoint),
    )


def test_a_round_shows_its_numbers_and_losses(tmp_path: Path) -> None:
    root, files = str(tmp_path), RunFiles(str(tmp_path), "Cars")
    first, second = record(root, "init", None, 0.4), record(root, "iqr", 0, 0.45)
    write_round(files, first)
    in_a_flow(lambda: publish_round(files, first))
    in_a_flow(lambda: publish_round(files, second))
    text = shown("cars-iqr")
    assert text.startswith("# iqr, batch 0\n")
    for row in (
        "| sent | 2 of 9 images, 4,096 of 9,000 bytes |",
        "| trained | epochs 4 to 6, 1,234 images, 61 s |",
        "| stopped | validation loss rose |",
        "| mAP50 on common | 0.450 (+0.050 since the round before) |",
        "| current checkpoint | epoch 6 |",
    ):
        assert row in text.splitlines()
    with Image.open(io.BytesIO(picture(text))) as drawn:
        drawn.load()
        assert drawn.width > 400
    initial = shown("cars-init")
    assert "sent" not in initial
    assert "| mAP50 on common | 0.400 |" in initial


def test_a_round_says_what_became_of_its_model(tmp_path: Path) -> None:
    root, files = str(tmp_path), RunFiles(str(tmp_path), "Cars")
    write_round(files, record(root, "init", None, 0.4))
    bad = record(root, "iqr", 0, 0.3)
    verdict = Verdict(
        version=2,
        parent=1,
        candidate=bad.standing.current,
        ruling="rejected",
        by="gate",
        reason="gain: 0.3 | 0.4",
    )
    in_a_flow(lambda: publish_round(files, bad.model_copy(update={"verdict": verdict})))
    assert "| version 2 | rejected by gate: gain: 0.3 / 0.4 |" in shown("cars-iqr").splitlines()


def scores(files: RunFiles, method: str, batch: int | None, score: float) -> None:
    """Write the record of a round that sent five images in each batch so far."""
    played = 0 if batch is None else batch + 1
    known = record(files.root, method, batch, score)
    sent = {"images_sent": 5 * played, "bytes_sent": 500 * played}
    write_round(
        files, known.model_copy(update={"standing": known.standing.model_copy(update=sent)})
    )


def write_run(root: Path, name: str, n_methods: int, n_batches: int) -> RunFiles:
    """The records of a run from which curves are drawn; its numbers jump about."""
    files = RunFiles(root.as_posix(), name)
    names = [f"median-below-thresh-{i}" for i in range(n_methods)]
    nothing = write_value(files.root, pd.DataFrame({"a": [1]}))
    arrangement = Arrangement(
        initial=nothing, batches=(), holdout=nothing, leftover=nothing, sizes={}
    )
    begun = Beginning(started=datetime.now(UTC), arrangement=arrangement, class_names=("car",))
    replace(files.config, b'{"schema": 1, "data": {"kind": "folder"}}')
    BEGINNING.write(files.beginning, begun)
    ended = {label: MethodOutcome(state="completed") for label in names}
    OUTCOME.write(files.outcome, RunOutcome.of(ended))
    rng = np.random.default_rng(0)
    scores(files, "init", None, 0.25)
    for label in names:
        for batch in range(n_batches):
            scores(files, label, batch, rng.random())
    return files


def test_a_run_shows_its_methods(tmp_path: Path) -> None:
    files = write_run(tmp_path, "cars/seed0", n_methods=2, n_batches=3)
    in_a_flow(lambda: publish_run(files))
    assert "The initial model has mAP50 0.25." in shown("cars-seed0")
    rows = json.loads(shown("cars-seed0-summary"))
    assert [row["method"] for row in rows] == ["median-below-thresh-0", "median-below-thresh-1"]
    assert {(row["batch"], row["images sent"], row["bytes sent"]) for row in rows} == {
        (2, 15, 1500)
    }
    for row in rows:
        assert row["gain"] == pytest.approx(row["mAP50"] - 0.25)


@pytest.mark.parametrize(("n_methods", "n_batches"), [(0, 0), (13, 8)])
def test_pictures_are_small(tmp_path: Path, n_methods: int, n_batches: int) -> None:
    files = write_run(tmp_path, f"long{n_methods}", n_methods, n_batches)
    in_a_flow(lambda: publish_run(files))
    assert len(picture(shown(f"long{n_methods}"))) < 100_000


def test_keys_are_as_prefect_wants_them() -> None:
    assert key_of("Cars 2/seed0", "Über_IQR") == "cars-2-seed0-ber-iqr"


def refuse(*_: object, **__: object) -> None:
    raise httpx.ConnectError("all connection attempts failed")


def test_a_server_that_takes_no_artifact_stops_no_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(publish, "show", refuse)
    files = write_run(tmp_path, "cars", n_methods=1, n_batches=1)
    in_a_flow(lambda: publish_run(files))
    in_a_flow(lambda: publish_round(files, record(str(tmp_path), "init", None, 0.1)))
    assert [line.split(" is not shown")[0] for line in said] == [
        "the comparison of methods",
        "the table of this round",
    ]


def test_progress_is_an_artifact_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "UPDATE_S", -1.0)
    made: list[Any] = []

    @task
    def training() -> None:
        telling = Progress("iqr0: training")
        for done in range(1, 5):
            telling(done, 4)
        made.append(telling.artifact)

    in_a_flow(training)
    answer = artifact(str(made[0]))
    assert (answer["type"], answer["data"]) == ("progress", 100.0)
    assert answer["description"] == "iqr0: training"
    assert answer["task_run_id"]


def test_a_server_that_takes_no_progress_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(progress, "UPDATE_S", -1.0)
    monkeypatch.setattr(progress, "AFTER_REFUSAL_S", -1.0)
    monkeypatch.setattr(progress, "show", refuse)
    telling = Progress("iqr0: training")
    for done in range(4):
        telling(done, 4)
    assert said == ["no progress in Prefect's UI: all connection attempts failed"]


@stage("test-cached", random=False)
def shared(data: Artifact, *, step: Step) -> Artifact:
    return data


def test_what_comes_from_the_cache_is_one_line(tmp_path: Path, said: list[str]) -> None:
    step = Step(root=str(tmp_path), seed=0)
    data = write_bytes(str(tmp_path), b"x", ".bin")
    in_a_flow(lambda: shared(data, step=step))
    assert said == []
    in_a_flow(lambda: shared(data, step=step))
    (line,) = said
    assert re.fullmatch(r"test-cached: cached, test-cached-v1-[0-9a-f]+", line)


def at(*epochs: int) -> list[Any]:
    return [SimpleNamespace(epoch=epoch) for epoch in epochs]


def test_task_runs_name_their_epochs() -> None:
    assert train_detector.about({"start": None}) == "-from-epoch-0"
    assert train_detector.about({"start": at(14)[0]}) == "-from-epoch-14"
    assert infer.about({"checkpoints": at(10, 12, 14)}) == "-epochs-10+12+14"
    assert infer.about({"checkpoints": at(2, 4, 6, 8, 10)}) == "-epochs-2..10"
    assert evaluate.about({"current": at(14)[0]}) == "-epoch-14"


def test_the_models_of_a_run_are_shown_with_all_decisions(tmp_path: Path) -> None:
    run = unpacked_run(tmp_path)
    in_a_flow(lambda: publish_models(run))
    registered(run)
    in_a_flow(lambda: publish_models(run))
    text = shown("finished-models")
    assert "asks for approval" in text
    assert "| champion | init |" in text
    assert "&lt;b&gt;gain&lt;/b&gt;" in text
