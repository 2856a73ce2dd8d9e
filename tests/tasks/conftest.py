"""A store with an inbox, in a folder and in a bucket."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.nodes import Store


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest) -> Store:
    chosen: Store = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def bucket(object_store: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return Store(f"s3://edge/{uuid.uuid4().hex}")


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store(tmp_path.as_posix())
