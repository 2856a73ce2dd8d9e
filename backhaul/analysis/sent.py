"""What each method sent: how many scenes, how often each, and what shows no objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from backhaul.arrays import Float32Array
from backhaul.campaign.run import CONTROL, SampledBatch
from backhaul.data.streams.names import scene_of
from backhaul.sampling.diversity.duplicates import NEAR

Describe: TypeAlias = Callable[[str], Float32Array | None]
"""From the path of an image to its descriptor; None if the image is gone."""

FIRST, REPEAT, EARLIER, EMPTY = "first", "repeat", "repeat-earlier", "empty"
KINDS = (FIRST, REPEAT, EARLIER, EMPTY)
"""What an image that was sent is to its method: the first of a scene; one more of a scene that
was sent of the same batch, or of an earlier one; or one whose labels say that it is empty."""

BY_NAME, BY_LIKENESS = "name", "likeness"
COUNTS = ("images", "scenes", "repeats", "repeats_earlier", "empty", "bytes")
COLUMNS = ("method", "batch", *COUNTS, "scenes_by")


def sent_images(batches: Iterable[SampledBatch], describe: Describe) -> pd.DataFrame:
    """Return every image that was sent, and whether it shows anything that was not sent before.

    Scenes of a stream are known by the names of its frames. Of other images, those whose
    descriptors are within `NEAR` of the first one of a scene are of that scene. Where an image
    is gone or cannot be read, its kind and scene are None.

    Args:
        batches: The batches of all methods, those of a method in order.
        describe: Called once for an image that has objects and is no frame of a stream.

    Returns:
        One row an image and method, in the order in which they were sent: ``method``,
        ``batch``, ``file``, ``bytes`` (NaN if not known), ``kind`` (of `KINDS`), ``scene``
        (equal for images of one scene; None for empty ones) and ``scenes_by`` (`BY_NAME` or
        `BY_LIKENESS`).
    """
    by_method: dict[str, list[SampledBatch]] = {}
    for played in batches:
        if played.method != CONTROL:
            by_method.setdefault(played.method, []).append(played)
    rows = [row for played in by_method.values() for row in _of_method(played, describe)]
    names = ("method", "batch", "file", "bytes", "kind", "scene", "scenes_by")
    table = pd.DataFrame(rows, columns=list(names), dtype=object)
    return table.astype({"batch": int, "bytes": float})


def sent_table(images: pd.DataFrame) -> pd.DataFrame:
    """Return how much of what a method sent of each batch was new to it.

    Args:
        images: What `sent_images` returns.

    Returns:
        One row a method and batch, columns `COLUMNS`: ``images`` is the sum of ``scenes`` (with
        objects, not sent before), ``repeats`` (of the same batch), ``repeats_earlier`` and
        ``empty``. The first three are NaN where an image of the batch is gone, ``bytes`` where
        a size is not known.
    """
    rows = []
    for (method, batch), group in images.groupby(["method", "batch"], sort=False):
        number = {kind: int(group["kind"].eq(kind).sum()) for kind in KINDS}
        known = bool(group["kind"].notna().all())
        scenes = [number[kind] if known else np.nan for kind in (FIRST, REPEAT, EARLIER)]
        n_bytes = group["bytes"].sum(skipna=False)
        by = group["scenes_by"].iloc[0]
        rows.append((method, batch, len(group), *scenes, number[EMPTY], n_bytes, by))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COUNTS, "Int64"))


def _of_method(batches: Sequence[SampledBatch], describe: Describe) -> list[tuple[Any, ...]]:
    files = [file for played in batches for file in played.sent]
    by_name = all(scene_of(file) is not None for file in files)
    scene: Callable[[str], str | None] = scene_of if by_name else _Likeness(describe)
    first_in: dict[str, int] = {}
    rows = []
    for played in batches:
        for file in played.sent:
            is_empty = played.n_objects.get(file) == 0
            shown = None if is_empty else scene(file)
            kind = EMPTY if is_empty else _kind(shown, played.batch, first_in)
            n_bytes = played.n_bytes.get(file, np.nan)
            by = BY_NAME if by_name else BY_LIKENESS
            rows.append((played.method, played.batch, file, n_bytes, kind, shown, by))
    return rows


def _kind(scene: str | None, batch: int, first_in: dict[str, int]) -> str | None:
    """Return what an image of a scene is, and remember in which batch the scene came first."""
    if scene is None:
        return None
    if scene not in first_in:
        first_in[scene] = batch
        return FIRST
    return REPEAT if first_in[scene] == batch else EARLIER


class _Likeness:
    """Names the scenes of images by what they look like.

    Args:
        describe: Returns the descriptor of an image, None if it is gone.
    """

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._firsts: list[Float32Array] = []

    def __call__(self, file: str) -> str | None:
        """Return the scene of an image: that of the nearest first one, or a new one."""
        vector = self._describe(file)
        if vector is None:
            return None
        if self._firsts:
            apart = np.linalg.norm(np.stack(self._firsts) - vector, axis=1)
            if apart.min() <= NEAR:
                return f"scene {int(apart.argmin())}"
        self._firsts.append(vector)
        return f"scene {len(self._firsts) - 1}"
