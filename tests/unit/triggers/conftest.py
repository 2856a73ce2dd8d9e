from pathlib import Path

import pytest

from tests.triggered import Arriving


@pytest.fixture
def arriving(tmp_path: Path) -> Arriving:
    return Arriving(tmp_path / "store")
