"""The choice at the end of a window: a sampling method of campaigns among a node's frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from backhaul.node.frame import Frame
from backhaul.node.standing import Seen
from backhaul.sampling import Method
from backhaul.untrusted import one_line
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Offers, Pool

May: TypeAlias = tuple[int | None, int | None]
"""Most images and bytes; None = any."""


def beside(may: May, waiting: Sequence[Frame]) -> May:
    """Return what a window may carry beside the frames that wait for it already.

    Those that chance drew are among them: a method that spent the whole window again would
    choose more, window by window, than ever goes over the link.

    Args:
        may: What the window may carry.
        waiting: Frames that were chosen before and not sent yet.
    """
    images, n_bytes = may
    return (
        None if images is None else max(images - len(waiting), 0),
        None if n_bytes is None else max(n_bytes - sum(f.size_bytes for f in waiting), 0),
    )


def choose_anyway(
    method: Method,
    frames: Sequence[Frame],
    seen: Mapping[str, Seen],
    may: May,
    *,
    rng: np.random.Generator,
) -> tuple[list[str], str]:
    """Return what a method chooses, see `choose`; where it fails, chance chooses.

    The same frames would end the agent again after each restart.

    Returns:
        The digests in their order, and why the method failed; empty if it did not.
    """
    try:
        return choose(method, frames, seen, may, rng=rng), ""
    except Exception as error:  # of any type, for whatever a method cannot cope with
        why = f"{method.label}: {type(error).__name__}: {error}"
        return _drawn(frames, may, rng), one_line(why)


def _drawn(frames: Sequence[Frame], may: May, rng: np.random.Generator) -> list[str]:
    """Return digests in random order, as many as may be sent from the first on."""
    size = {frame.digest: frame.size_bytes for frame in frames}
    images, n_bytes = may
    order: list[str] = rng.permutation(sorted(size)).tolist()[:images]
    if n_bytes is None:
        return order
    total = np.cumsum([size[digest] for digest in order])
    return order[: int(np.searchsorted(total, n_bytes, side="right"))]


def choose(
    method: Method,
    frames: Sequence[Frame],
    seen: Mapping[str, Seen],
    may: May,
    *,
    rng: np.random.Generator,
) -> list[str]:
    """Return the digests of the frames that a method chooses, in its order.

    Args:
        method: The method.
        frames: The candidates; their order does not matter.
        seen: What was seen in them, by digest.
        may: Most images and bytes; None = any.
        rng: The only source of randomness.
    """
    if not frames:
        return []
    digests = sorted(frame.digest for frame in frames)
    size = {frame.digest: frame.size_bytes for frame in frames}
    sizes = np.array([size[each] for each in digests], dtype=np.int64)
    images, n_bytes = may
    limit = Bandwidth(
        images=len(digests) if images is None else images,
        bytes=int(sizes.sum()) if n_bytes is None else n_bytes,
    )
    found = _joined(digests, [seen[each] for each in digests])
    pool = Pool(Offers.originals(digests, sizes), found)
    return [str(name) for name in method.select(pool, limit, rng=rng).image_id]


def _joined(digests: Sequence[str], seen: Sequence[Seen]) -> FusedDetections:
    """Return what was seen in several frames as the detections of one pool."""
    parts = [each.found for each in seen]
    columns: dict[str, Any] = {}
    for name in parts[0].columns():
        values = [getattr(part, name) for part in parts if len(part)]
        is_known = bool(values) and all(value is not None for value in values)
        of_none = None if values else getattr(parts[0], name)
        columns[name] = np.concatenate(values) if is_known else of_none
    pairs = zip(digests, parts, strict=True)
    owners = [digest for digest, part in pairs for _ in range(len(part))]
    columns["image_id"] = names_of(owners)
    names = names_of(digests)
    descriptors = np.array([each.descriptor for each in seen], np.float32)
    known = [each.features for each in seen if each.features is not None]
    has_all = len(known) == len(seen)
    return FusedDetections(
        **columns,
        descriptors=Features(names, descriptors),
        features=Features(names, np.array(known, np.float32)) if has_all else None,
    )
