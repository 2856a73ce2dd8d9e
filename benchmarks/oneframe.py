"""Look at frames on one core, as a node or in a bare loop, and print what it took.

``python -m benchmarks.oneframe bare|node MODEL FRAMES N STARTED``, for `benchmarks.footprint`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from backhaul.look.modelfile import INPUT, info_of
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from benchmarks.taken import WARM, Taken, taken_by

GREY = 114


def bare(model: Path, frames: list[Path], started_s: float) -> Taken:
    """Decode, scale, and run the model, and nothing else."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    side = info_of(session.get_modelmeta().custom_metadata_map, model).img_size
    at = 0

    def work(until: int) -> None:
        nonlocal at
        for path in frames[at:until]:
            pixels = np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB))
            scale = side / max(pixels.shape)
            high, wide = (round(length * scale) for length in pixels.shape[:2])
            boxed = np.full((side, side, 3), GREY, np.uint8)
            boxed[:high, :wide] = cv2.resize(pixels, (wide, high))
            session.run(None, {INPUT: boxed})
        at = until

    return taken_by(work, len(frames) - WARM, started_s)


def node(model: Path, frames: list[Path], started_s: float) -> Taken:
    """Run a node that may send nothing, and so keeps all frames but near-duplicates."""
    with tempfile.TemporaryDirectory(prefix="backhaul-") as name:
        folder = Path(name)
        with Node(_config(folder, model, frames)) as running:

            def work(until: int) -> None:
                totals = running.agent.standing.totals
                running.run(lambda: totals()["seen"] >= until)

            return taken_by(work, len(frames) - WARM, started_s)


def _config(folder: Path, model: Path, frames: list[Path]) -> NodeConfig:
    (folder / "frames").mkdir()
    (folder / "held").touch()
    for path in frames:
        shutil.copy(path, folder / "frames")
    return NodeConfig.model_validate(
        {
            "node": "node",
            "folder": str(folder / "node"),
            "frames": {"kind": "folder", "path": str(folder / "frames"), "settle_s": 0},
            "model": str(model),
            "uplink": {"kind": "folder", "folder": str(folder)},
            "hold_file": str(folder / "held"),
        }
    )


def main() -> None:
    """Measure one thing in this process, and print it."""
    what, model, frames, n, started = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    files = sorted(Path(frames).iterdir())[: int(n) + WARM]
    taken = {"bare": bare, "node": node}[what](Path(model), files, float(started))
    sys.stdout.write(taken.line() + "\n")


if __name__ == "__main__":
    main()
