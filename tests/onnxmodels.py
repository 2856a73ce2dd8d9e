"""Tiny models for nodes, made without a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backhaul.look.modelfile import BOXES, FEATURES, INPUT, SCORES, ModelInfo

CLASSES = ("cat", "dog")
SIZE_PX = 64


def brightness_model(path: Path, version: int = 0) -> Path:
    """Write a model whose confidence is the brightness of the image, and return its file.

    Two checkpoints see one object of class 0 in the middle, the second one a little less sure.

    Args:
        path: The file.
        version: Models of different versions see the same, and differ in their bytes.
    """
    boxes = np.full((2, 4, 1), SIZE_PX / 2, np.float32)
    share = np.array([[[0.9], [0.05]], [[0.8], [0.05]]], np.float32)
    constants = {"boxes_of": boxes, "share": share, "white": np.array(255, np.float32)}
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["light"]),
        helper.make_node("ReduceMean", ["light"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["share", "mean"], [SCORES]),
        helper.make_node("Identity", ["boxes_of"], [BOXES]),
        helper.make_node("ReduceMean", ["light"], [FEATURES], axes=[0, 1], keepdims=0),
    ]
    outputs = {BOXES: (2, 4, 1), SCORES: (2, 2, 1), FEATURES: (3,)}
    graph = helper.make_graph(
        nodes,
        f"brightness-{version}",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, (SIZE_PX, SIZE_PX, 3))],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    info = ModelInfo(class_names=CLASSES, img_size=SIZE_PX, epochs=(1, 2), precision="fp32")
    helper.set_model_props(model, info.metadata())
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
