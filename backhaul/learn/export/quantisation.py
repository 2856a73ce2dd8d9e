"""Make the convolutions of an exported model work with integers of 8 bits.

Activations get their ranges from calibration images (static quantisation; Krishnamoorthi, 2018,
arXiv:1806.08342), weights one range a channel. Only convolutions are quantised. Behind the last
ones of the head, boxes of hundreds of pixels and scores below 1 meet in one tensor: at one
scale for both no score is left, and mAP is 0. So the convolution that turns distributions into
boxes stays as it is, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from backhaul.errors import InputError
from backhaul.learn.export.settings import Export
from backhaul.look.letterbox import letterbox, read_pixels
from backhaul.look.modelfile import INPUT, info_of
from backhaul.storage.scratch import scratch_folder
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages

BEHIND_THE_HEAD = "/dfl/"
"""In names of convolutions that make boxes of what the head's last ones give (distribution
focal loss; Li et al., 2020, arXiv:2006.04388)."""


def calibration_images(train: ImageSet, settings: Export, rng: np.random.Generator) -> ImageSet:
    """Return the training images to calibrate on, by name; none for a model that needs none.

    Augmented copies are none of them: a camera takes no such pictures.

    Args:
        train: Images that the model was trained on, never those it is evaluated on.
        settings: How the model is made.
        rng: Draws them.

    Raises:
        InputError: If there are none to draw from.
    """
    originals = train.originals()
    if settings.precision == "fp32":
        return originals.at(np.arange(0))
    if not len(originals):
        raise InputError("int8 needs training images to calibrate on, and the run has none")
    drawn = rng.permutation(len(originals))[: settings.calibration_images]
    by_name = sorted(originals.ids)
    return originals.take(by_name[i] for i in np.sort(drawn))


def quantised(model: bytes, images: LocalImages) -> bytes:
    """Return a model of `backhaul.learn.export.graph.onnx_bytes` with convolutions of 8 bits.

    Weights have 7 of their 8 bits: with 8, sums overflow on x86 processors without VNNI, where
    a model that was evaluated here would be another one.

    Args:
        model: The file.
        images: Calibration images, at least one.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    graph = onnx.load_from_string(model)
    info = info_of({each.key: each.value for each in graph.metadata_props}, "the model")
    with scratch_folder() as folder, _without_advice():
        quantize_static(
            graph,
            folder / "int8.onnx",
            _Calibration(images, info.img_size),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[n.name for n in graph.graph.node if BEHIND_THE_HEAD in n.name],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made = onnx.load(folder / "int8.onnx")
    onnx.helper.set_model_props(made, info.model_copy(update={"precision": "int8"}).metadata())
    return bytes(made.SerializeToString())


class _Calibration:
    """Gives images one by one, as ONNX Runtime's calibration asks for them."""

    def __init__(self, images: LocalImages, img_size: int) -> None:
        self._inputs = (
            {INPUT: letterbox(read_pixels(path), img_size).pixels} for path in images.paths
        )

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        """Return the next input; None behind the last."""
        return next(self._inputs, None)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep from users what ONNX Runtime would have its callers do before they quantise."""
    root = logging.getLogger()

    def is_ours(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in record.pathname

    root.addFilter(is_ours)
    try:
        yield
    finally:
        root.removeFilter(is_ours)
