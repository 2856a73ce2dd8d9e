"""Folders of frames whose bursts are known."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]


def picture(number: int) -> Image.Image:
    """Return a picture that looks like no other number's: 8 x 8 coloured cells."""
    rng = np.random.default_rng([7, number])
    cells = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return Image.fromarray(cells).resize((64, 64), Image.Resampling.NEAREST)


@pytest.fixture
def write_frames(tmp_path: Path) -> Write:
    """A function of {node: [number of the picture of each frame]}; files are no two alike."""

    def write(nodes: Mapping[str, Sequence[int]]) -> Path:
        root = tmp_path / "frames"
        for node, numbers in nodes.items():
            (root / node).mkdir(parents=True, exist_ok=True)
            for time, number in enumerate(numbers, start=8):  # 8, 9, 10: numbers as numbers
                place = root / node / f"f{time}.jpg"
                picture(number).save(place, quality=80 + time % 10)
        return root

    return write
