"""Sampling methods implemented by the user."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from pydantic import Field, model_validator

from backhaul.code import Code
from backhaul.errors import InputError
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.cut import cut_to
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import NO_NEEDS, Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection

_Why: TypeAlias = tuple[float, str]
"""Weight and reason of a choice."""


class UserSampling(SamplingMethod):
    """Code named in the config: a class with `select`, or a function.

    The class is built with the code's params and asked ``select(pool, bandwidth, rng=rng)``,
    the function is called ``function(pool, bandwidth, rng, **params)``. Either returns a
    `Selection`, or ids or files of images, in the order to send them. If they exceed the
    bandwidth, some are dropped at random. An attribute ``needs`` of the class or function says
    what it needs beside detections.
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
        if isinstance(code, type):
            self.code.require_call("a class that is built with its params")
        else:
            self.code.require_call("a function of pool, bandwidth and rng", "", "", "")
        if unknown := sorted(map(str, self.needs - {*get_args(Need)})):
            known = ", ".join(get_args(Need))
            raise ValueError(f"{self.code.use}: needs {unknown[0]}, expected some of {known}")
        return self

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override] # of the code, not of the class
        """What the user's function or class needs besides detections."""
        return frozenset(getattr(self.code.load(), "needs", NO_NEEDS))

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images that the user's code chose, cut to the bandwidth.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If the code returns no names of images, or one that is not in the pool.
        """
        with self.code.running():
            chosen = self._ask(pool, bandwidth, rng)
        row = {name: i for names in (pool.files, pool.image_id) for i, name in enumerate(names)}
        unknown = [name for name in chosen if name not in row]
        if unknown:
            raise InputError(
                f"{self.code.use}: chose {unknown[0]!r}, expected ids or files of images of "
                "the pool"
            )
        wanted: dict[int, _Why] = {}
        for name, why in chosen.items():
            wanted.setdefault(row[name], why)
        rows = np.array([*wanted], dtype=np.int64)
        sent = cut_to(bandwidth, pool, rows, stratify=self.stratify, rng=rng)
        whys = [wanted[i] for i in sent.tolist()]
        return self.selection(
            [pool.image_id[i] for i in sent],
            pool.size_bytes[sent],
            np.array([weight for weight, _ in whys], dtype=np.float64),
            [reason for _, reason in whys],
        )

    def _ask(
        self, pool: Pool, bandwidth: Bandwidth, rng: np.random.Generator
    ) -> dict[str, _Why]:
        """Return weight and reason of the chosen images, by id or file, in order."""
        code: Any = self.code.load()
        if isinstance(code, type):
            answer = code(**self.code.params).select(pool, bandwidth, rng=rng)
        else:
            answer = code(pool, bandwidth, rng, **self.code.params)
        if isinstance(answer, Selection):
            whys = zip(answer.weight.tolist(), answer.reason.tolist(), strict=True)
            return dict(zip(answer.image_id.tolist(), whys, strict=True))
        if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
            raise InputError(
                f"{self.code.use}: expected a Selection, image ids or files, "
                f"got {type(answer).__name__}"
            )
        why = (1.0, f"chosen by {self.code.use}")
        return dict.fromkeys((str(name) for name in answer), why)
