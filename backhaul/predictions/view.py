"""The chosen images, for a page of thumbnails."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import IntArray
from backhaul.data.images import ImageFile
from backhaul.geometry import xyxy_to_xywhn
from backhaul.predictions.chosen import Chosen
from backhaul.report.gallery.content import Gallery, Shown
from backhaul.values.columns import positions
from backhaul.values.detections import FusedDetections
from backhaul.values.labels import Labels


def gallery_of(chosen: Chosen) -> Gallery:
    """Return the chosen images in their order, with the predicted boxes and the reasons."""
    classes, class_id = np.unique(chosen.detections.class_id, return_inverse=True)
    image = positions(chosen.detections.image_id, [file.image_id for file in chosen.images])
    return Gallery(
        name=chosen.options.root.name,
        kind="selection",
        root=chosen.options.root.as_posix(),
        class_names=tuple(f"class {number}" for number in classes.tolist()),
        images=tuple(
            Shown(
                image_id=file.image_id,
                uri=file.path,
                width=file.width,
                height=file.height,
                size_bytes=file.size_bytes,
                labels=_labels(
                    chosen.detections.take(image == row), class_id[image == row], file
                ),
                sent={chosen.method: reason},
            )
            for row, (file, reason) in enumerate(zip(chosen.images, chosen.reason, strict=True))
        ),
        methods=(chosen.method,),
    )


def _labels(boxes: FusedDetections, class_id: IntArray, file: ImageFile) -> Labels:
    return Labels(class_id, xyxy_to_xywhn(boxes.xyxy, file.width, file.height))
