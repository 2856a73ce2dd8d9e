"""Hard-example filters: rules that call an image hard or not, as edge-cloud systems use them.

Threshold, cross-entropy, image-box threshold and random are those of KubeEdge Sedna, cloud-only
and edge-only the ends between which Ianvs compares them; the rules by a threshold, class and
count are those of Roboflow's active learning. A class is its number in the class list: a pool
knows no names.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.sampling.utilities import aggregate, distribution_entropy, scores_of
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.values.detections import NO_NEEDS, FusedDetections, Need

ClassIds: TypeAlias = tuple[Annotated[int, Field(ge=0)], ...]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects in the images of a pool.

    Args:
        found: The objects, n of them.
        image: Image of each, 0 to n_images - 1, shape (n,).
        n_images: How many images there are.
    """

    found: FusedDetections
    image: IntArray
    n_images: int

    def count(self, which: BoolArray) -> IntArray:
        """Return how many of the objects in a mask are in each image, shape (n_images,)."""
        return np.bincount(self.image[which], minlength=self.n_images)

    def of_classes(self, class_ids: ClassIds | None) -> BoolArray:
        """Return which objects are of these classes, None for any, shape (n,)."""
        if class_ids is None:
            return np.ones(len(self.found), dtype=bool)
        return np.isin(self.found.class_id, class_ids)


class Filter(Part):
    """Calls each image hard or not.

    Subclasses add ``kind``, a ``Literal`` with the filter's name as its default.
    """

    needs: ClassVar[frozenset[Need]] = NO_NEEDS
    """What it needs in a pool beside detections."""

    source: ClassVar[str] = "KubeEdge Sedna"
    """Where the filter is from."""

    kind: str

    @abstractmethod
    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,).

        Args:
            objects: What was detected in them.
            rng: The only source of randomness.
        """


class FilterOfDetections(Filter):
    """Judges an image by a number that only detections give it.

    Sedna calls an image without any detection easy, so that what was missed whole is never
    sent; here it is hard, unless `undetected` says otherwise.
    """

    undetected: Literal["hard", "easy"] = Field(
        "hard", description="what an image without any detection is; easy as in Sedna"
    )

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,)."""
        n_objects = objects.count(objects.of_classes(None))
        return np.where(n_objects == 0, self.undetected == "hard", self._hard(objects))

    @abstractmethod
    def _hard(self, objects: Objects) -> BoolArray:
        """Return which images are hard; any value for those without a detection."""


class ThresholdFilter(FilterOfDetections):
    """Hard below a mean confidence (Sedna's Threshold)."""

    kind: Literal["threshold"] = "threshold"
    threshold: Probability = Field(0.5, description="mean confidence below which it is hard")

    def _hard(self, objects: Objects) -> BoolArray:
        confidence = objects.found.confidence
        return aggregate(confidence, objects.image, objects.n_images, "mean") < self.threshold


class CrossEntropyFilter(FilterOfDetections):
    """Hard where the classes of an object are in doubt (Sedna's CrossEntropy).

    Sedna judges the one distribution that a classifier gives an image. Here each object has
    one, its scores divided by their sum, and an image is hard if one of its objects is.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"scores"})

    kind: Literal["cross-entropy"] = "cross-entropy"
    threshold: Probability = Field(0.5, description="certainty below which an object is hard")

    def _hard(self, objects: Objects) -> BoolArray:
        doubtful = certainty(scores_of(objects.found)) < self.threshold
        return np.asarray(objects.count(doubtful) > 0)


def certainty(scores: FloatArray) -> FloatArray:
    """Return 1 - entropy / ln(n_classes) of scores divided by their sum, in [0, 1], shape (n,).

    A score of 0 adds nothing (Sedna's formula has no value there). Of one class it is the
    certainty whether there is an object at all (and there neither).

    Args:
        scores: Score of every class in [0, 1], shape (n, n_classes).

    Example:
        >>> certainty(np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])).round(4).tolist()
        [0.2702, 1.0]
    """
    if scores.shape[1] == 1:
        scores = np.hstack([scores, 1.0 - scores])
    return np.asarray(1.0 - distribution_entropy(scores) / np.log(scores.shape[1]))


class IbtFilter(FilterOfDetections):
    """Hard where many boxes are not sure (Sedna's IBT, image-box thresholds).

    That is, where the part of the boxes with a confidence of `threshold_box` at most reaches
    1 - `threshold_img`.
    """

    kind: Literal["ibt"] = "ibt"
    threshold_img: Probability = Field(0.5, description="1 - part of the boxes that suffices")
    threshold_box: Probability = Field(0.5, description="confidence up to which a box counts")

    def _hard(self, objects: Objects) -> BoolArray:
        doubtful = objects.count(objects.found.confidence <= self.threshold_box)
        n_objects = np.maximum(objects.count(objects.of_classes(None)), 1)
        return np.asarray(doubtful / n_objects >= 1.0 - self.threshold_img)


class RandomFilter(Filter):
    """Hard by chance, whatever is seen (Sedna's Random)."""

    kind: Literal["random"] = "random"
    ratio: Probability = Field(0.3, description="chance of an image to be hard")

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,)."""
        return rng.random(objects.n_images) < self.ratio


class CloudOnlyFilter(Filter):
    """Every image is hard: all goes to the cloud, as far as it fits."""

    source: ClassVar[str] = "KubeEdge Ianvs"

    kind: Literal["cloud-only"] = "cloud-only"

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return True for each image, shape (n_images,)."""
        return np.ones(objects.n_images, dtype=bool)


class EdgeOnlyFilter(Filter):
    """No image is hard: nothing goes to the cloud."""

    source: ClassVar[str] = "KubeEdge Ianvs"

    kind: Literal["edge-only"] = "edge-only"

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return False for each image, shape (n_images,)."""
        return np.zeros(objects.n_images, dtype=bool)


class CloseToThresholdFilter(Filter):
    """Hard where enough confidences are close to a threshold (Roboflow)."""

    source: ClassVar[str] = "Roboflow"

    kind: Literal["close-to-threshold"] = "close-to-threshold"
    threshold: Probability = Field(0.5, description="confidence that is in doubt")
    epsilon: Probability = Field(0.25, description="confidences nearer than this are close")
    at_least: PositiveInt = Field(1, description="how many objects must be close")
    class_ids: ClassIds | None = Field(None, description="objects that count; null = all")

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,)."""
        near = np.abs(objects.found.confidence - self.threshold) < self.epsilon
        n_near = objects.count(near & objects.of_classes(self.class_ids))
        return np.asarray(n_near >= self.at_least)


class OfClassFilter(Filter):
    """Hard where an object of certain classes was detected (Roboflow)."""

    source: ClassVar[str] = "Roboflow"

    kind: Literal["of-class"] = "of-class"
    class_ids: ClassIds = Field(min_length=1, description="the classes, by number")

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,)."""
        return np.asarray(objects.count(objects.of_classes(self.class_ids)) > 0)


class CountFilter(Filter):
    """Hard where more, or fewer, objects were detected than some number (Roboflow)."""

    source: ClassVar[str] = "Roboflow"

    kind: Literal["count"] = "count"
    more_than: int | None = Field(None, ge=0, description="objects there must be more than")
    less_than: int | None = Field(None, ge=1, description="objects there must be less than")
    class_ids: ClassIds | None = Field(None, description="objects that count; null = all")

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.more_than is None and self.less_than is None:
            raise ValueError("expected more_than, less_than, or both")
        low = -1 if self.more_than is None else self.more_than
        if self.less_than is not None and self.less_than <= low + 1:
            raise ValueError(f"no number is more than {low} and less than {self.less_than}")
        return self

    def hard(self, objects: Objects, rng: np.random.Generator) -> BoolArray:
        """Return which images are hard, shape (n_images,)."""
        count = objects.count(objects.of_classes(self.class_ids))
        low = -1 if self.more_than is None else self.more_than
        high = np.inf if self.less_than is None else self.less_than
        return np.asarray((count > low) & (count < high))


def _accept_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


HardExampleFilter: TypeAlias = Annotated[
    ThresholdFilter
    | CrossEntropyFilter
    | IbtFilter
    | RandomFilter
    | CloudOnlyFilter
    | EdgeOnlyFilter
    | CloseToThresholdFilter
    | OfClassFilter
    | CountFilter,
    Field(discriminator="kind"),
    BeforeValidator(_accept_name),
]
"""A filter as configs name it: ``ibt``, or a mapping with ``kind``."""
