"""Ultralytics logs to MLflow when the config says so, and never else."""

import os
from pathlib import Path

import pytest
from mlflow import MlflowClient

from backhaul.learn.settings import Training
from backhaul.learn.training.job import EpochDone
from backhaul.learn.training.process import train
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import make_job

pytestmark = pytest.mark.train


@pytest.mark.parametrize("wanted", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_training_is_logged_only_when_asked_for(
    wanted: bool, scenes: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "test_mlflow" in os.environ["PYTEST_CURRENT_TEST"]  # or Ultralytics would not log
    place = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    job = make_job(tmp_path / "job", scenes, mlflow=wanted)
    job = job.model_copy(update={"epochs": 1, "label": "iqr0"})
    (epoch,) = [event for event in train(job) if isinstance(event, EpochDone)]
    assert epoch.stop == "all epochs done"
    if not wanted:
        assert not (tmp_path / "mlruns").exists()
        return
    client = MlflowClient(place)
    experiment = client.get_experiment_by_name("backhaul")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "iqr0"
    assert run.info.status == "FINISHED"
    assert run.data.params["imgsz"] == "64"
    losses = [v for name, v in run.data.metrics.items() if name.startswith("val/")]
    assert sum(losses) == pytest.approx(epoch.record.valid_loss, rel=1e-3)


def test_it_is_refused_where_it_cannot_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="mlflow is not installed"):
        Training(mlflow=True)
