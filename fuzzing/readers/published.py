"""Readers of what a node fetches: releases, probe images, and the parts of a model file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.random import Generator
from onnx import TensorProto, helper
from PIL import Image

from backhaul.look.onnxcontent import require_self_contained
from backhaul.node.updates.probe import expected_of, probe_of
from backhaul.node.updates.release import release_of
from backhaul.untrusted import read_bytes
from fuzzing.reader import Reader
from fuzzing.tree import Tree


def _release(_: Generator) -> Tree:
    file = {"sha256": "0" * 64, "bytes": 10}
    release = {"format": 1, "name": "m.onnx", "model": file, "probe": file, "cohort": 0.5}
    release["policies"] = [{"kind": "window", "name": "w", "method": {"kind": "iqr"}}]
    release["budget"] = {
        "hours": ["22:00-06:00"],
        "allowances": [{"period": "day", "bytes": 9}],
    }
    return {"release.json": json.dumps(release).encode()}


def _read_release(folder: Path) -> Iterable[str]:
    release_of(read_bytes(folder / "release.json")).includes("cam")
    return ()


def _probe(rng: Generator) -> Tree:
    buffer = io.BytesIO()
    pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    image = {"file": base64.b64encode(buffer.getvalue()).decode()}
    found = {"found": [[1, 0, 0.5, 0, 0, 4, 4]], "labelled": [[0, 0, 0, 4, 4]]}
    return {"probe.json": json.dumps({"format": 1, "images": [image | found]}).encode()}


def _read_probe(folder: Path) -> Iterable[str]:
    for image in probe_of(read_bytes(folder / "probe.json")).images:
        expected_of(image)
    return ()


def _model(_: Generator) -> Tree:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    inner = helper.make_graph([], "inner", [], [value], [weights])
    node = helper.make_node("If", ["b"], ["x"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([node], "g", [], [value], [weights])
    return {"model.onnx": helper.make_model(graph).SerializeToString()}


def _read_model(folder: Path) -> Iterable[str]:
    require_self_contained(read_bytes(folder / "model.onnx"), "model.onnx")
    return ()


READERS = (
    Reader("release", _release, _read_release),
    Reader("probe images", _probe, _read_probe),
    Reader("model parts", _model, _read_model),
)
