"""Stage that looks with an exported model, as a node does."""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.look.fusion import fuse
from backhaul.look.onnx import Onnx
from backhaul.look.settings import Inference
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages
from backhaul.values.results import NodeModel
from tasks.inference import prediction_settings, with_local_files
from tasks.keys import libraries
from tasks.progress import Progress
from tasks.stage import Step, stage


@stage("node-look", random=False, uses=libraries("onnxruntime", "opencv-python"))
def look_as_node(
    images: Artifact, model: NodeModel, inference: Inference, *, step: Step
) -> Artifact:
    """Store what a model for nodes sees in images (`FusedDetections`).

    Args:
        images: The images (`ImageSet`).
        model: The model.
        inference: How outputs become boxes, and how boxes are fused.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    settings = prediction_settings(inference, model.img_size, inference.conf_thres, step)
    inside = tuple(Checkpoint(epoch=epoch, artifact=model.file) for epoch in model.epochs)

    def look(files: LocalImages, weights: Sequence[LocalCheckpoint]) -> FusedDetections:
        progress = Progress(f"{step}: look as a node")
        seen = Onnx().predict(files, weights, settings, progress)
        return fuse(seen, model.epochs, inference.iou_thres)

    fused = with_local_files(step.root, read_value(ImageSet, images), inside, look)
    return write_value(step.root, fused)
