"""A sampling method of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from backhaul.errors import InputError
from backhaul.plugins import UserCode
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.interval import RandomSampling
from backhaul.types import Bandwidth, FusedDetections, IntArray, Pool, Selection


class UserSampling(SamplingMethod):
    """Code named in the config: a class with `select`, or a function.

    The class is built with the code's params and asked ``select(pool, bandwidth, rng=rng)``,
    the function is called ``function(pool, bandwidth, rng, **params)``. Either returns a
    `Selection` or image ids, in the order to send them. If they exceed the bandwidth, some are
    dropped at random.
    """

    kind: Literal["user"] = "user"
    code: UserCode = Field(description="module:Class or module:function")
    stratify: bool = Field(
        False, description="of too many images keep equal shares of every predicted class"
    )

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            name = re.search(r"[A-Za-z](\w*[A-Za-z])?", self.code.use.split(":")[1], re.ASCII)
            object.__setattr__(self, "label", name.group() if name else self.kind)
        return self

    @model_validator(mode="after")
    def _check_code(self) -> Self:
        code = self.code.load()
        if not callable(code) or (isinstance(code, type) and not hasattr(code, "select")):
            raise ValueError(f"{self.code.use}: expected a function or a class with select")
        return self

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return what the user's code chose, cut to the bandwidth.

        Raises:
            InputError: If the code returns no ids, or one that is not in the pool.
        """
        chosen = self._ask(pool, bandwidth, rng)
        row = {image_id: i for i, image_id in enumerate(pool.image_id)}
        unknown = [image_id for image_id in chosen.index if image_id not in row]
        if unknown:
            raise InputError(
                f"{self.code.use}: chose {unknown[0]!r}, expected ids of images of the pool"
            )
        wanted = _restrict(pool, np.array([row[i] for i in chosen.index], dtype=np.int64))
        if not _fits(wanted, bandwidth):
            cut = RandomSampling(stratify=self.stratify).select(wanted, bandwidth, rng=rng)
            chosen = chosen.loc[cut.table["image_id"]]
        return self.selection(
            list(chosen.index),
            pool.size_bytes[[row[i] for i in chosen.index]],
            chosen["weight"].to_numpy(dtype=np.float64),
            list(chosen["reason"]),
        )

    def _ask(self, pool: Pool, bandwidth: Bandwidth, rng: np.random.Generator) -> pd.DataFrame:
        """Return weight and reason of what the code chose, indexed by image_id, none twice."""
        code: Any = self.code.load()
        if isinstance(code, type):
            answer = code(**self.code.params).select(pool, bandwidth, rng=rng)
        else:
            answer = code(pool, bandwidth, rng, **self.code.params)
        if isinstance(answer, Selection):
            return answer.table.set_index("image_id")[["weight", "reason"]]
        if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
            raise InputError(
                f"{self.code.use}: expected a Selection or image ids, "
                f"got {type(answer).__name__}"
            )
        reason = f"chosen by {self.code.use}"
        index = pd.Index(list(dict.fromkeys(answer)), dtype="object")
        return pd.DataFrame({"weight": 1.0, "reason": reason}, index=index)


def _restrict(pool: Pool, rows: IntArray) -> Pool:
    """Return the images at `rows` with their detections."""
    image_id = tuple(pool.image_id[row] for row in rows)
    table = pool.detections.table
    detections = FusedDetections(table[table["image_id"].isin(image_id)])
    return Pool(image_id, pool.size_bytes[rows], detections)


def _fits(pool: Pool, bandwidth: Bandwidth) -> bool:
    """Return whether all images of `pool` can be sent."""
    images = np.inf if bandwidth.images is None else bandwidth.images
    n_bytes = np.inf if bandwidth.bytes is None else bandwidth.bytes
    return len(pool) <= images and int(pool.size_bytes.sum()) <= n_bytes
