"""Augmentations: albumentations pipelines for RGB images with normalised boxes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from backhaul.arrays import FloatArray
from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.geometry import xywhn_to_xyxy, xyxy_to_xywhn
from backhaul.learn.settings import Augmentation
from backhaul.values.labels import Labels

ImageArray: TypeAlias = npt.NDArray[np.uint8]

MAX_DRAWS = 10  # then a copy is made without moving anything out of sight
SECOND_MINOR_P = 0.2
MAJOR_P = 0.9
BORDER_FILL = (114, 114, 114)  # grey, as the detector's letterbox
EDGE_PX = 1.0  # boxes that end this near to the edge may have been cut by it


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its labels.

    Args:
        rgb: Pixels, shape (height, width, 3).
        labels: What is in it; outlines are not carried along.
    """

    rgb: ImageArray
    labels: Labels


TENSORS = "albumentations.pytorch"

_importing = threading.Lock()


class Transformer(threading.local):
    """Makes augmented copies; each thread has its own pipelines, since these have state."""

    def __init__(self, settings: Augmentation) -> None:
        """Build the pipelines of `settings`.

        Raises:
            InputError: If the user's code does not give an albumentations pipeline.
        """
        self.min_visibility = settings.min_visibility
        minor = minor_transforms(settings.flip)
        self.safe = _compose(minor, min_visibility=0.0)
        if settings.pipeline is not None:
            steps = [_user_pipeline(settings.pipeline)]
        elif settings.major:
            steps = [_albumentations().OneOf(major_transforms(), p=MAJOR_P), *minor]
        else:
            steps = minor
        self.wanted = _compose(steps, self.min_visibility)

    def draw(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """Return a random copy of `picture` in which every box is still visible.

        Draws again, up to `MAX_DRAWS` times, while a box keeps less than ``min_visibility`` of
        its area; then takes a copy with minor transformations alone, which hide nothing.

        Args:
            picture: The original.
            rng: The only source of randomness.

        Raises:
            InputError: If a user's pipeline returns something else than 8-bit RGB.
        """
        for seed in rng.integers(2**32, size=MAX_DRAWS):
            copy = _apply(self.wanted, picture, int(seed))
            if _all_visible(picture, copy, self.min_visibility):
                return copy
        return _apply(self.safe, picture, int(rng.integers(2**32)))


def minor_transforms(flip: Literal["none", "horizontal"]) -> list[Any]:
    """Return steps that apply one change of colour, sharpness or side, at times a second."""
    a = _albumentations()
    choices = [
        a.Blur(blur_limit=(3, 5), p=1),
        a.GaussNoise(std_range=(0.02, 0.08), p=1),
        a.RandomBrightnessContrast(p=1),
        a.HueSaturationValue(p=1),
        a.RGBShift(p=1),
    ]
    if flip == "horizontal":
        choices.append(a.HorizontalFlip(p=1))
    one = a.Sequential([a.SomeOf(choices, n=1)], p=1 - SECOND_MINOR_P)
    two = a.Sequential([a.SomeOf(choices, n=2)], p=SECOND_MINOR_P)
    return [a.OneOf([one, two], p=1)]


def major_transforms() -> list[Any]:
    """Return the transformations that move objects: shift-scale-rotate, crop, distortion."""
    a = _albumentations()
    return [
        a.Affine(
            scale=(0.9, 1.1),
            translate_percent=(-0.0625, 0.0625),
            rotate=(-15, 15),
            fill=BORDER_FILL,
            p=1,
        ),
        a.RandomCropFromBorders(
            crop_left=0.2, crop_right=0.2, crop_top=0.2, crop_bottom=0.2, p=1
        ),
        a.OpticalDistortion(distort_limit=(-0.3, 0.3), mode="fisheye", fill=BORDER_FILL, p=1),
    ]


def _albumentations() -> Any:
    """Return Albumentations; what makes tensors in it imports PyTorch when it is asked for.

    Its own import would do so at once, which takes 3 seconds and 600 MB.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = (
        "1"  # its import asks the network for a new version
    )
    with _importing:
        if "albumentations" in sys.modules or TENSORS in sys.modules:
            return importlib.import_module("albumentations")
        sys.modules[TENSORS] = None  # type: ignore[assignment]
        try:
            library: Any = importlib.import_module("albumentations")
        finally:
            del sys.modules[TENSORS]
        library.__getattr__ = _of_tensors
    return library


def _of_tensors(name: str) -> Any:
    if name not in ("pytorch", "ToTensorV2", "ToTensor3D"):
        raise AttributeError(f"module 'albumentations' has no attribute {name!r}")
    module = importlib.import_module(TENSORS)
    return module if name == "pytorch" else getattr(module, name)


def _compose(steps: list[Any], min_visibility: float) -> Any:
    a = _albumentations()
    boxes = a.BboxParams(
        format="yolo", label_fields=["class_id"], clip=True, min_visibility=min_visibility
    )
    can_carry_boxes = a.NoOp()  # without one such step Compose warns
    return a.Compose([*steps, can_carry_boxes], bbox_params=boxes)


def _user_pipeline(code: UserCode) -> Any:
    a = _albumentations()
    with code.running():
        pipeline = code.load()(**code.params)
    if not isinstance(pipeline, a.BaseCompose | a.BasicTransform):
        raise InputError(
            f"augmentation.pipeline: expected an albumentations pipeline from {code.use}, "
            f"got {type(pipeline).__name__}"
        )
    return pipeline


def _apply(pipeline: Any, picture: Picture, seed: int) -> Picture:
    pipeline.set_random_seed(seed)
    # One stream for all: the line above alone gives every step the same random numbers.
    pipeline.set_random_state(pipeline.random_generator, pipeline.py_random)
    labels = picture.labels
    drawn = pipeline(
        image=picture.rgb, bboxes=labels.xywhn, class_id=labels.class_id.astype(np.float64)
    )
    rgb = drawn["image"]
    if not (isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.shape[2:] == (3,)):
        raise InputError("augmentation.pipeline: expected an 8-bit RGB image as its result")
    xywhn = np.asarray(drawn["bboxes"], dtype=np.float64).reshape(-1, 4)
    inside = xyxy_to_xywhn(np.clip(xywhn_to_xyxy(xywhn, 1, 1), 0, 1), 1, 1)
    class_id = np.asarray(drawn["class_id"], dtype=np.float64).astype(np.int64)
    return Picture(np.ascontiguousarray(rgb), Labels(class_id, inside))


def _all_visible(original: Picture, copy: Picture, min_visibility: float) -> bool:
    """Return whether no box is lost, nor cut at the edge to less than `min_visibility`.

    Albumentations drops boxes that reach too far over the edge, but a distortion hands back
    boxes that are already cut; those end at the edge and are smaller than they were.
    """
    if len(copy.labels) != len(original.labels):
        return False
    height, width = copy.rgb.shape[:2]
    x1, y1, x2, y2 = copy.labels.xyxy(width, height).T
    margin = np.min([x1, y1, width - x2, height - y2], axis=0)
    is_small = _areas_px(copy) < min_visibility * _areas_px(original)
    return not bool(np.any((margin <= EDGE_PX) & is_small))


def _areas_px(picture: Picture) -> FloatArray:
    height, width = picture.rgb.shape[:2]
    xywhn = picture.labels.xywhn
    areas: FloatArray = xywhn[:, 2] * width * xywhn[:, 3] * height
    return areas
