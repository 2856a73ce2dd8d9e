"""What a node takes: frames a second on one core, memory, and what it adds to the bare work.

``python -m benchmarks.footprint`` prints a table. The bare work is a loop that decodes each
frame, scales it, and runs the model with ONNX Runtime; a node also makes boxes, fuses, values,
tells frames apart, writes them to the disk, and keeps a journal. Each runs in a process of its
own on one core (`benchmarks.oneframe`), in turns. Times are of the processor, so that other
work on the machine counts less.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.learn.export.graph import onnx_bytes
from backhaul.learn.export.quantisation import quantised
from benchmarks.inference import checkpoints_of, photos_of
from benchmarks.taken import WARM, Taken

N_FRAMES, N_FRAMES_OF_640 = 100, 40
REPEATS = 3
SIZES_PX, ENSEMBLES, PRECISIONS = (320, 640), (1, 3), ("fp32", "int8")
MEGABYTE = 1e6


def main() -> None:
    """Measure all models, and print a table."""
    table = Table(
        *("model", "frames/s, bare", "node", "added", "MB", "first frame, s"),
        title="A node on one core, yolo11n, frames of 640x480",
    )
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        folder = Path(name)
        for size_px, count, precision, model in _models(folder):
            n = N_FRAMES if size_px == SIZES_PX[0] else N_FRAMES_OF_640
            bare, node = [], []
            for _ in range(REPEATS):
                bare.append(_in_process("bare", model, folder / "photos", n))
                node.append(_in_process("node", model, folder / "photos", n))
            table.add_row(f"{size_px} px, {count} {precision}", *_cells(bare, node))
    Console().print(table)


def _cells(bare: list[Taken], node: list[Taken]) -> list[str]:
    bare_s, node_s = (median(each.frame_s for each in part) for part in (bare, node))
    added = median(b.frame_s / a.frame_s - 1 for a, b in zip(bare, node, strict=True))
    peak = median(each.peak_bytes for each in node)
    first_s = median(each.first_s for each in node)
    return [
        *(f"{1 / bare_s:.1f}", f"{1 / node_s:.1f}", f"{added:+.0%}"),
        *(f"{peak / MEGABYTE:.0f}", f"{first_s:.1f}"),
    ]


def _models(folder: Path) -> list[tuple[int, int, str, Path]]:
    """Train a detector of digits, and export its checkpoints in all ways."""
    write_scenes(folder / "scenes", DigitsData(images=100, size_px=96))
    scenes = read(FolderData(root=folder / "scenes")).images
    checkpoints = checkpoints_of(folder / "training", scenes, max(ENSEMBLES))
    photos = photos_of(folder / "photos", scenes, N_FRAMES + WARM, np.random.default_rng(0))
    made = []
    for size_px in SIZES_PX:
        for count in ENSEMBLES:
            single = onnx_bytes(checkpoints[-count:], scenes.class_names, size_px)
            eight = quantised(single, photos.at(np.arange(20)).local())
            for precision, data in zip(PRECISIONS, (single, eight), strict=True):
                path = folder / f"{size_px}-{count}-{precision}.onnx"
                path.write_bytes(data)
                made.append((size_px, count, precision, path))
    return made


def _in_process(what: str, model: Path, frames: Path, n: int) -> Taken:
    child = [sys.executable, "-m", "benchmarks.oneframe", what, str(model), str(frames)]
    done = subprocess.run(  # noqa: S603 - our own module
        [*child, str(n), str(time.time())], check=True, capture_output=True, text=True
    )
    return Taken.from_line(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
