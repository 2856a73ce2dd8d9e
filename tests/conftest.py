"""What all tests share: one temporary Prefect server, and a place for real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary Prefect server, started once for the whole test run, with an empty cache."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    cache = {PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("results")}
    with prefect_test_harness(server_startup_timeout=90), temporary_settings(cache):
        yield


@pytest.fixture
def bccd() -> Path:
    """The BCCD set, which may lie in `shared/` beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "bccd"
    if not folder.is_dir():
        pytest.skip("the BCCD set is not in shared/data/bccd beside the checkout")
    return folder
