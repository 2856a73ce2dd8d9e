"""A store with an inbox, in a folder and in a bucket."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.nodes import Store


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    if request.param == "folder":
        return Store(tmp_path.as_posix())
    for name, value in request.getfixturevalue("object_store").environment.items():
        monkeypatch.setenv(name, value)
    return Store(f"s3://edge/{uuid.uuid4().hex}")


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store(tmp_path.as_posix())
