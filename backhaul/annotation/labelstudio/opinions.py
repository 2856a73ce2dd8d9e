"""Which of several people's annotations of an image count, and what reviewers said of them.

The last annotation of each person counts: labels, agreement and rejection go by it. A review is
a choice in an annotation, and speaks of that; but where a person drew nothing beside the
choice, and others have annotated the image, it speaks of what they had made by then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backhaul.annotation.labelstudio.interface import APPROVED, REJECTED, REVIEW
from backhaul.annotation.labelstudio.regions import drawn_in
from backhaul.annotation.labelstudio.tasks import Annotation


@dataclass(frozen=True)
class Opinions:
    """What people say that an image shows.

    Args:
        approved: The annotation that was approved, or marked as ground truth, whoever made it;
            of several the last; None = none was.
        standing: Of each person the last, if it was neither skipped nor rejected.
        reviewed: Those of them that somebody approved in an annotation of their own.
        rejected: The last in which somebody rejects; None = nobody does.
    """

    approved: Annotation | None
    standing: tuple[Annotation, ...]
    reviewed: tuple[Annotation, ...]
    rejected: Annotation | None


def opinions_in(annotations: Sequence[Annotation]) -> Opinions:
    """Return what counts of all annotations of an image."""
    done = sorted((each for each in annotations if not each.was_cancelled), key=_when)
    last_ids = {each.id for each in _last_of_each(annotations)}
    alone_ids = {each.id for each in done if _is_review_alone(each, done)}
    approved = [each for each in done if _is_approved(each) and each.id not in alone_ids]
    last = [each for each in done if each.id in last_ids]
    reviews = [each for each in last if each.id in alone_ids]
    said = [(each, _said_of(each, reviews)) for each in last if each.id not in alone_ids]
    rejected = [each for each in last if review_of(each) == REJECTED]
    return Opinions(
        approved=approved[-1] if approved else None,
        standing=tuple(each for each, word in said if word != REJECTED),
        reviewed=tuple(each for each, word in said if word == APPROVED),
        rejected=rejected[-1] if rejected else None,
    )


def review_of(annotation: Annotation) -> str:
    """Return what a reviewer chose in an annotation; empty if nothing."""
    for region in annotation.result:
        value: Any = region.get("value")
        if region.get("from_name") == REVIEW and isinstance(value, Mapping):
            choices = value.get("choices")
            if isinstance(choices, list) and choices:
                return str(choices[0])
    return ""


def _when(annotation: Annotation) -> tuple[datetime, int]:
    return annotation.updated_at, annotation.id


def _last_of_each(annotations: Sequence[Annotation]) -> Collection[Annotation]:
    return {each.completed_by: each for each in sorted(annotations, key=_when)}.values()


def _is_approved(annotation: Annotation) -> bool:
    said = review_of(annotation)
    return said == APPROVED or (annotation.ground_truth and said != REJECTED)


def _is_review_alone(annotation: Annotation, known: Sequence[Annotation]) -> bool:
    """Return whether it says something of what others made, and nothing of the image."""
    others = (each for each in known if each.completed_by != annotation.completed_by)
    return not _says_something(annotation) and any(map(_says_something, others))


def _says_something(annotation: Annotation) -> bool:
    """Return whether it has objects, or says that there are none."""
    is_drawn = bool(drawn_in(annotation.result))
    return is_drawn or annotation.ground_truth or not review_of(annotation)


def _said_of(annotation: Annotation, reviews: Sequence[Annotation]) -> str:
    """Return what was said of an annotation last: in it, or by a later review of all."""
    later = [each for each in reviews if _when(each) > _when(annotation)]
    return review_of((annotation, *later)[-1])
