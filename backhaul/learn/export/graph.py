"""Checkpoints as one file of ONNX, in single precision.

One file holds all of them. Three of yolo11n in one session of ONNX Runtime 1.32, or in a session
each, take 32.9 or 31.9 ms a look at 320 px on one core of an AMD EPYC, and 123.5 or 123.6 ms at
640 px: the same. One file has one digest, and is exchanged in one step.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

from backhaul.look.libraries import isolate_libraries
from backhaul.look.modelfile import BOXES, FEATURES, INPUT, SCORES, ModelInfo
from backhaul.look.ultralytics import load_detector
from backhaul.values.checkpoints import LocalCheckpoint

OPSET = 18
"""Version of ONNX's operators. ONNX Runtime 1.14 and later, of 2023, know it."""


def onnx_bytes(
    checkpoints: Sequence[LocalCheckpoint],
    class_names: tuple[str, ...],
    img_size: int,
    *,
    trust: bool = False,
) -> bytes:
    """Return checkpoints of Ultralytics' detectors as one file of ONNX, in single precision.

    Inputs and outputs are those of `backhaul.look.modelfile`. Equal checkpoints give equal
    bytes with equal versions of the libraries.

    Args:
        checkpoints: The ensemble, with distinct epochs, the last one last.
        class_names: The classes that they were trained on.
        img_size: Side of the square input, pixels.
        trust: Whether code in checkpoints may be run.

    Raises:
        InputError: If a checkpoint is not what it should be.
    """
    isolate_libraries()
    import onnx
    import torch

    networks = [load_detector(each, class_names, trust=trust) for each in checkpoints]
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch would rather see its newer exporter used, which takes ten times as long and
        # two packages more for a graph that is no faster. Ultralytics' export traces as well.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _side_by_side(networks),
            (torch.zeros(img_size, img_size, 3, dtype=torch.uint8),),
            written,
            input_names=[INPUT],
            output_names=[BOXES, SCORES, FEATURES],
            opset_version=OPSET,
            dynamo=False,
        )
    info = ModelInfo(
        class_names=class_names,
        img_size=img_size,
        epochs=tuple(each.epoch for each in checkpoints),
        precision="fp32",
    )
    model = onnx.load_from_string(written.getvalue())
    onnx.helper.set_model_props(model, info.metadata())
    return bytes(model.SerializeToString())


def _side_by_side(networks: Sequence[Any]) -> Any:
    """Return a module that gives the outputs of all networks for one image."""
    import torch

    class SideBySide(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.networks = torch.nn.ModuleList(networks)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            pixels = image.permute(2, 0, 1).unsqueeze(0).float() / 255
            given, raw = zip(*(network(pixels) for network in self.networks), strict=True)
            every = torch.cat(given)
            coarsest = raw[-1]["feats"][-1]
            return every[:, :4], every[:, 4:], coarsest.mean(dim=(2, 3)).squeeze(0)

    return SideBySide().eval()
