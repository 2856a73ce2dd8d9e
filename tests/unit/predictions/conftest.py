"""Images that predictions are of."""

from pathlib import Path

import pytest

from tests.predicted import write_frames

NAMES = tuple(f"{number:03d}" for number in range(12))


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images, 000.png to 011.png."""
    return write_frames(tmp_path_factory.mktemp("given") / "frames", NAMES)
