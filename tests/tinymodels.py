"""Tiny models in the format of exported ones, for tests: they see how bright a picture is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from backhaul.look.modelfile import BOXES, FEATURES, INPUT, SCORES, ModelInfo

SIZE = 32
CLASSES = ("car", "bus")
OPSET = 18


def tiny_model(
    gain: float = 1.0, classes: tuple[str, ...] = CLASSES, rounds: int = 0, domain: str = ""
) -> bytes:
    """Return a model whose only box is as sure as the picture is bright.

    Args:
        gain: What the brightness is multiplied by.
        classes: Names of its classes.
        rounds: It does so many rounds of work for nothing.
        domain: Of one more operator, which nobody knows; empty = there is none.
    """
    scores = np.linspace(1.0, 0.5, len(classes), dtype=np.float32).reshape(1, -1, 1) * gain
    box = np.array([16, 16, 20, 10], np.float32).reshape(1, 4, 1)
    constants = {
        "one": np.array([1.0], np.float32),
        "grey": np.array([1 / 255], np.float32),
        "weights": scores,
        "box": box,
        "axes": np.array([0, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "grey"], ["light"]),
        helper.make_node("ReduceMean", ["light", "axes"], ["rgb"], keepdims=0),
        helper.make_node("ReduceMean", ["rgb"], ["bright"], keepdims=0),
        helper.make_node("Mul", ["weights", "bright"], ["sure"]),
        helper.make_node("Clip", ["sure", "", "most"], [SCORES]),
        helper.make_node("Identity", ["box"], [BOXES]),
        helper.make_node("Mul", ["rgb", "worked"], [FEATURES]),
    ]
    constants["most"] = np.array(1.0, np.float32)
    nodes.insert(0, _work(rounds))
    constants |= {"rounds": np.array(rounds, np.int64), "go": np.array(True)}
    if domain:
        nodes.append(helper.make_node("Odd", ["box"], ["odd"], domain=domain))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info(BOXES, TensorProto.FLOAT, [1, 4, 1]),
            helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, [1, len(classes), 1]),
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    opsets += [helper.make_opsetid(domain, 1)] if domain else []
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    info = ModelInfo(class_names=classes, img_size=SIZE, epochs=(1,), precision="fp32")
    helper.set_model_props(model, info.metadata())
    return bytes(model.SerializeToString())


def with_external_data(model: bytes, place: str = "weights.bin") -> bytes:
    """Return a model that has weights in another file."""
    loaded = onnx.load_from_string(model)
    tensor = loaded.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    return bytes(loaded.SerializeToString())


def write_pictures(folder: Path, n: int = 3, size: tuple[int, int] = (48, 32)) -> Path:
    """Write pictures that differ, most of them bright."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        rng = np.random.default_rng(number)
        pixels = rng.integers(120, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def _work(rounds: int) -> onnx.NodeProto:
    """Return a loop that multiplies 1 by itself."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_in"], ["go_out"]),
            helper.make_node("Mul", ["kept_in", "kept_in"], ["kept_out"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept_in", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept_out", TensorProto.FLOAT, [1]),
        ],
    )
    return helper.make_node("Loop", ["rounds", "go", "one"], ["worked"], body=body)
