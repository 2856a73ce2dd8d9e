"""How a node looks at a frame: decode, mask, run the model, and encode what would be sent."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backhaul.data.recipes import SendOriginal, SendReencoded
from backhaul.data.sending import decoded, pieces_of
from backhaul.look.descriptors import descriptor
from backhaul.look.fusion import fuse
from backhaul.look.onnx import OnnxModel
from backhaul.look.protocol import PredictionSettings
from backhaul.node.happenings import Captured, Looked
from backhaul.node.pixels import Gate, masked
from backhaul.node.policies import AnyPolicy
from backhaul.node.settings import NodeConfig
from backhaul.node.sight import Sight
from backhaul.values.detections import FusedDetections, Need

MASKED_QUALITY = 95
"""Of the JPEG file that a masked frame becomes."""
_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}


class Lens:
    """Looks at frames with an exported model.

    Args:
        config: The node.
        path: File of the model.
        sha256: Digest that it must have; empty = any.

    Raises:
        InputError: If the model cannot be used.
    """

    def __init__(self, config: NodeConfig, path: Path, sha256: str = "") -> None:
        self._config = config
        self.model = OnnxModel(path, sha256, config.look.threads)
        self._gate = Gate(config.gates)

    @property
    def version(self) -> str:
        """What the model is called: the first digits of its digest."""
        return self.model.sha256[:12]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.model.info.class_names

    def look(self, frame: Captured, content: bytes, policy: AnyPolicy) -> Looked:
        """Return what is seen in a frame.

        Args:
            frame: The frame.
            content: Its file.
            policy: How it will be valued, and in what form it would be sent.
        """
        try:
            image, kind = decoded(content)
            pixels, suffix = np.asarray(image), _SUFFIX[kind]
        except Exception:  # whatever a decoder raises where it meets broken data
            return Looked(frame, None)
        if self._config.masks:
            pixels = masked(pixels, self._config.masks)
            content, suffix = _jpeg(pixels), ".jpg"
        if gate := self._gate.closed_by(pixels):
            return Looked(frame, None, gate)
        found = self._found(frame.name, pixels, policy)
        vector = found.features
        content, suffix = _sent(content, suffix, found, policy.sending)
        sight = Sight(
            found=found,
            descriptor=descriptor(pixels),
            features=None if vector is None else vector.vectors[0],
            content=content,
            suffix=suffix,
            width=pixels.shape[1],
            height=pixels.shape[0],
        )
        return Looked(frame, sight)

    def _found(
        self, name: str, pixels: NDArray[np.uint8], policy: AnyPolicy
    ) -> FusedDetections:
        look, info = self._config.look, self.model.info
        disagreement = "disagreement" in policy.needs
        needs: frozenset[Need] = policy.needs - {"descriptors"}
        settings = PredictionSettings(
            img_size=info.img_size,
            conf_thres=look.conf_thres,
            nms_thres=look.nms_thres,
            max_detections=look.max_detections,
            threads=look.threads,
            needs=needs | {"scores"} if disagreement else needs,
        )
        seen = self.model.look(pixels, name, settings)
        conf_thres = look.conf_thres if disagreement else None
        return fuse(seen, info.epochs, look.iou_thres, conf_thres=conf_thres)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=MASKED_QUALITY)
    return buffer.getvalue()


def _sent(
    content: bytes, suffix: str, found: FusedDetections, sending: SendOriginal | SendReencoded
) -> tuple[bytes, str]:
    """Return the file that is sent of a frame, and its suffix."""
    if isinstance(sending, SendOriginal):
        return content, suffix
    pieces = pieces_of(content, found.xyxy, sending)
    if not pieces:
        return content, suffix
    return pieces[0].data, ".jpg" if sending.format == "jpeg" else ".webp"
