from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.data.images import probe
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

NAMES = ("red cell", "weiß", "c")
BCCD = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "bccd"

Draw = Callable[..., Path]


@pytest.fixture
def draw() -> Draw:
    """Write an image whose content depends on `seed` alone."""

    def make(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(
            0, 255, (height, width, 3), dtype=np.uint8
        )
        Image.fromarray(pixels).save(path)
        return path

    return make


def boxes(*rows: tuple[float, ...]) -> Labels:
    return Labels.from_rows(rows)


LABELS: dict[str, Labels | None] = {
    "a/plain.jpg": boxes((0, 0.5, 0.5, 0.25, 0.5), (2, 0.125, 0.25, 0.25, 0.5)),
    "a/with space.JPEG": boxes((1, 1 / 3, 0.4, 0.1, 0.123456789)),
    "a/Größe 😀.PNG": boxes((0, 0.5, 0.5, 1.0, 1.0)),
    "images/images/v1.2.final.jpeg": boxes((2, 0.9, 0.9, 0.2, 0.2)),
    "b/plain.jpg": boxes((0, 0.25, 0.25, 0.1, 0.1)),
    "b/plain.webp": boxes((1, 0.75, 0.25, 0.1, 0.1)),
    "b/no objects.bmp": boxes(),
    "b/unlabelled.png": None,
}


@pytest.fixture
def odd_set(tmp_path: Path, draw: Draw) -> ImageSet:
    """Images with odd names, some without labels and some without objects."""
    rows = []
    for seed, (name, labels) in enumerate(LABELS.items()):
        file = probe(
            draw(tmp_path / "images" / "source" / name, 60 + seed, 48, seed).as_posix()
        )
        source = None if labels is None else "dataset"
        known = (file.image_id, file.path, file.width, file.height, file.size_bytes)
        rows.append((*known, None, labels, source, None))
    columns = zip(*rows, strict=True)
    return ImageSet(
        pd.DataFrame(
            {
                name: pd.Series(list(column), dtype=object)
                for name, column in zip(IMAGE_COLUMNS, columns, strict=True)
            }
        ),
        NAMES,
    )


@pytest.fixture(scope="session")
def bccd() -> Path:
    if not BCCD.is_dir():
        pytest.skip("the BCCD data set is not in ../shared/data/bccd beside the repository")
    return BCCD
