"""The full look at images of a data set against a bare loop that decodes them.

The peer reads each file and calls ``cv2.imdecode``, in as many threads. We add to it that the
header is parsed, the file digested and checked for its end, and a hash of the pixels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from backhaul.data.images import ImageReader
from benchmarks.measure import Row, compare

LIMIT = "decoding takes four fifths, Pillow's look at headers most of the rest"
THREADS = 2
PHOTOS, SIZE_PX = 400, (640, 480)


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images."""
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        paths = [f"{name}/{i}.jpg" for i in range(max(20, round(PHOTOS * scale)))]
        for path in paths:
            coarse = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            cv2.imwrite(path, cv2.resize(coarse, SIZE_PX, interpolation=cv2.INTER_CUBIC))
        reader = ImageReader(at_once=THREADS)
        times = compare(partial(reader.read, paths), partial(_decode, paths))
    return [
        Row(f"decoding, {len(paths)} 640x480 JPEG", *times, "a loop of cv2.imdecode", LIMIT)
    ]


def _decode(paths: Sequence[str]) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(_decode_one, paths):
            pass


def _decode_one(path: str) -> None:
    cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
