"""What a training process is given: no key of a store, no login."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from backhaul.environment import without_secrets
from backhaul.learn.training import process as trainings
from backhaul.learn.training.process import TrainingError, train
from backhaul.learn.training.warm import Warm
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import make_job

SECRETS = {
    "AWS_ACCESS_KEY_ID": "abc",
    "AWS_SECRET_ACCESS_KEY": "abc",
    "AWS_SESSION_TOKEN": "abc",
    "AWS_PROFILE": "home",
    "PREFECT_API_AUTH_STRING": "admin:abc",
    "PREFECT_API_KEY": "abc",
    "PREFECT_SERVER_API_AUTH_STRING": "admin:abc",
    "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://u:abc@h/db",
    "PREFECT_SERVER_DATABASE_PASSWORD": "abc",
    "PGPASSWORD": "abc",
    "MLFLOW_TRACKING_PASSWORD": "abc",
    "GITHUB_TOKEN": "abc",
    "WEED_JWT_SIGNING_KEY": "abc",
    "https_proxy": "http://me:abc@proxy:3128",
    "MY_SERVICE": "amqp://me:abc@host",
}
HARMLESS = {
    "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    "PREFECT__FLOW_RUN_ID": "3f",
    "TOKENIZERS_PARALLELISM": "false",
    "BACKHAUL_CACHE": "/work/.cache",
    "KEYBOARD": "de",
    "http_proxy": "http://proxy:3128",
    "COMPASS": "north",
    "GIT_AUTHOR_NAME": "me",
}


def test_what_opens_nothing_is_kept() -> None:
    assert without_secrets(SECRETS | HARMLESS) == HARMLESS
    kept = without_secrets(SECRETS | HARMLESS, keep="MLFLOW_")
    assert set(kept) - set(HARMLESS) == {"MLFLOW_TRACKING_PASSWORD"}


@pytest.fixture(params=[True, False], ids=["forked", "new"])
def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Starts trainings both ways, while the environment is full of secrets."""
    if request.param and sys.platform != "linux":
        pytest.skip("trainings are forked on Linux alone")
    for name, value in {**SECRETS, **HARMLESS}.items():
        monkeypatch.setenv(name, value)
    process = Warm() if request.param else None
    monkeypatch.setattr(trainings, "WARM", process)
    yield
    if process is not None:
        process.close()


def has_no_secret(environment: Mapping[str, str]) -> bool:
    return (
        not set(SECRETS) & set(environment)
        and "abc" not in environment.values()
        and environment["BACKHAUL_CACHE"] == HARMLESS["BACKHAUL_CACHE"]
    )


def test_no_secret_is_given_to_what_is_started(
    warm: None, scenes: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Mapping[str, str]] = []
    popen = subprocess.Popen

    def start(*_: Any, env: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
        given.append(env)
        return popen([sys.executable, "-S", "-c", ""], env=env, **options)  # in its place

    monkeypatch.setattr(subprocess, "Popen", start)
    with suppress(TrainingError):
        list(train(make_job(tmp_path, scenes)))
    assert given
    assert all(map(has_no_secret, given))


@pytest.mark.slow
@pytest.mark.train
def test_no_process_of_a_training_has_a_secret(
    warm: None, scenes: Splits, tmp_path: Path
) -> None:
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    events = train(make_job(tmp_path, scenes).model_copy(update={"epochs": 500}))
    next(events)
    started = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    try:
        assert len(started) > int(trainings.WARM is not None)  # the one that forks, too
        for process in started:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
            had = dict(line.split("=", 1) for line in environment.split("\0") if "=" in line)
            assert has_no_secret(had)
    finally:
        events.close()  # type: ignore[attr-defined] # it is a generator
