"""Go on without images that only the work on them shows to be unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from prefect import get_run_logger

from backhaul.data.images import ImageReader, UnreadableImageError
from backhaul.data.limits import NO_LIMITS
from backhaul.errors import InputError, MissingObjectError, StoreError
from backhaul.inbox.log import dropped_as
from backhaul.storage.imagefiles import localise
from backhaul.storage.lease import LeaseLostError
from backhaul.storage.scratch import scratch_folder
from backhaul.values.images import ImageSet

T = TypeVar("T")
MOST_NAMED = 20
"""Images that are named one by one; of more, the number is said."""


def without_unreadable(
    root: str, images: ImageSet, what: str, work: Callable[[ImageSet], T]
) -> T:
    """Return what `work` makes of images; if it fails, of those that can be decoded.

    Data sets and inboxes are checked, but a file may have been damaged since, or was read by an
    earlier version, which only looked at headers. As long as nothing fails, this costs nothing.

    Args:
        root: Root of the store.
        images: The images.
        what: What unreadable images are left out of, for the log.
        work: What is to be done with images; called a second time without the unreadable ones.

    Raises:
        MissingObjectError: If an image is gone.
        InputError: If none can be decoded.
        Exception: Whatever `work` raises, if all can be decoded.
    """
    try:
        return work(images)
    except (LeaseLostError, MissingObjectError, StoreError):  # not for a broken image
        raise
    except Exception:
        reasons = _unreadable(images)
        if not reasons:
            raise
    warn_left_out(root, images, what, reasons)
    kept = images.where(~images.table["image_id"].isin(reasons).to_numpy())
    if not len(kept):
        raise InputError(f"{what}: none of {len(images)} images can be decoded")
    return work(kept)


def _unreadable(images: ImageSet) -> dict[str, str]:
    """Return why images cannot be decoded, by image_id."""
    with scratch_folder() as folder:
        paths = localise(images, folder).table["uri"]
        looked = ImageReader(limits=NO_LIMITS).read(list(paths))
    found = zip(images.ids, looked, strict=True)
    return {k: each.reason for k, each in found if isinstance(each, UnreadableImageError)}


def warn_left_out(root: str, images: ImageSet, what: str, reasons: dict[str, str]) -> None:
    """Log which images are left out, by the names that people know them by.

    Args:
        root: Root of the store.
        images: The images, among them those that are left out.
        what: What they are left out of.
        reasons: Why, by image_id.
    """
    rows = images.table[images.table["image_id"].isin(reasons)]
    logger = get_run_logger()
    for name, image_id in zip(
        _names(root, rows.head(MOST_NAMED)), rows["image_id"].head(MOST_NAMED), strict=True
    ):
        logger.warning("%s: is left out of %s: %s", name, what, reasons[image_id])
    if len(rows) > MOST_NAMED:
        logger.warning("%d more images are left out of %s", len(rows) - MOST_NAMED, what)


def _names(root: str, rows: Any) -> Iterable[str]:
    dropped = dropped_as(root, set(rows["uri"]))
    for uri, original in zip(rows["uri"], rows["copy_of"], strict=True):
        copy = f" (a copy of {original})" if isinstance(original, str) else ""
        yield f"{uri} ({dropped[uri]})" if uri in dropped else f"{uri}{copy}"
