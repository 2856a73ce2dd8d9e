"""A sampling method of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from backhaul.code import Code
from backhaul.errors import InputError
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.cut import cut_to
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class UserSampling(SamplingMethod):
    """Code named in the config: a class with `select`, or a function.

    The class is built with the code's params and asked ``select(pool, bandwidth, rng=rng)``,
    the function is called ``function(pool, bandwidth, rng, **params)``. Either returns a
    `Selection`, or ids or files of images, in the order to send them. If they exceed the
    bandwidth, some are dropped at random.
    """

    kind: Literal["user"] = "user"
    code: Code = Field(description="module:Class or module:function")
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
            InputError: If the code returns no names of images, or one that is not in the pool.
        """
        chosen = self._ask(pool, bandwidth, rng)
        row = {name: i for names in (pool.files, pool.image_id) for i, name in enumerate(names)}
        unknown = [name for name in chosen.index if name not in row]
        if unknown:
            raise InputError(
                f"{self.code.use}: chose {unknown[0]!r}, expected ids or files of images of "
                "the pool"
            )
        chosen = chosen.set_axis([row[name] for name in chosen.index], axis="index")
        chosen = chosen[~chosen.index.duplicated()]
        wanted = chosen.index.to_numpy(dtype=np.int64)
        sent = cut_to(bandwidth, pool, wanted, stratify=self.stratify, rng=rng)
        return self.selection(
            [pool.image_id[i] for i in sent],
            pool.size_bytes[sent],
            chosen.loc[sent, "weight"].to_numpy(dtype=np.float64),
            list(chosen.loc[sent, "reason"]),
        )

    def _ask(self, pool: Pool, bandwidth: Bandwidth, rng: np.random.Generator) -> pd.DataFrame:
        """Return weight and reason of what the code chose, indexed by id or file."""
        code: Any = self.code.load()
        if isinstance(code, type):
            answer = code(**self.code.params).select(pool, bandwidth, rng=rng)
        else:
            answer = code(pool, bandwidth, rng, **self.code.params)
        if isinstance(answer, Selection):
            return answer.table.set_index("image_id")[["weight", "reason"]]
        if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
            raise InputError(
                f"{self.code.use}: expected a Selection, image ids or files, "
                f"got {type(answer).__name__}"
            )
        reason = f"chosen by {self.code.use}"
        index = pd.Index([str(name) for name in answer], dtype="object")
        return pd.DataFrame({"weight": 1.0, "reason": reason}, index=index)
