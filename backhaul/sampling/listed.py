"""Repeat the selections of an earlier run."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.arrays import IntArray
from backhaul.data.imagelists import ImageList, read_list, sample_lists
from backhaul.data.pathindex import PathIndex
from backhaul.errors import InputError
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.cut import cut_to
from backhaul.untrusted import user_path
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class ListedSampling(SamplingMethod):
    """What a method of an earlier run sent, as its lists say.

    A method is not told which batch it is asked for: that is the one of which the folder's
    ``sample<b>.txt`` agrees best with the pool. Then all of ``<of><b>_sample_<epoch>.txt`` is
    sent, of several epochs the last. Paths are compared from the file name up, as for `lists`.
    """

    resources: ClassVar[frozenset[str]] = frozenset({"folder"})
    """Where the lists lie changes no result, only what they say: their digest."""

    kind: Literal["listed"] = "listed"
    folder: Path = Field(description="folder of the lists, such as output/ of a run")
    of: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="label of the method then"
    )
    stratify: bool = Field(
        False, description="of too many images keep equal shares of every predicted class"
    )
    digest: str = Field("", description="digest of the lists; filled in, not to be written")

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            name = re.sub(r"[^A-Za-z]+$", "", self.of)
            object.__setattr__(self, "label", f"listed-{name}" if name else self.kind)
        return self

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        object.__setattr__(self, "folder", user_path(self.folder))
        current = hashlib.sha256()
        for part in (*self._chosen().values(), *sample_lists(self.folder)):
            text = "\n".join((part.file.name, *part.paths))
            current.update(hashlib.sha256(text.encode()).digest())
        if self.digest not in ("", current.hexdigest()):
            raise ValueError(
                f"{self.folder}: the lists are not those that the campaign started with"
            )
        object.__setattr__(self, "digest", current.hexdigest())
        return self

    def _chosen(self) -> dict[int, ImageList]:
        """Return the images sent by the earlier run, by batch.

        Raises:
            InputError: If there is no list of the method.
        """
        found: dict[int, tuple[int, Path]] = {}
        pattern = re.escape(self.of) + r"(\d+)_sample_(\d+)\.txt"
        for path in self.folder.glob("*_sample_*.txt"):
            if match := re.fullmatch(pattern, path.name):
                batch, epoch = int(match[1]), int(match[2])
                found[batch] = max(found.get(batch, (-1, path)), (epoch, path))
        if not found:
            place = self.folder / f"{self.of}<batch>_sample_<epoch>.txt"
            raise InputError(f"{place}: no such list there")
        return {batch: read_list(path) for batch, (_, path) in sorted(found.items())}

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images of this pool that the earlier run sent, cut to the bandwidth.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If less than half of the pool is in any one batch of the lists, or a
                path may mean several images.
        """
        index = PathIndex(pool.files or pool.image_id)
        sent = self._chosen().get(self._batch(index, len(pool)))
        wanted = np.zeros(0, dtype=np.int64) if sent is None else _rows(index, sent)
        rows = cut_to(bandwidth, pool, wanted, stratify=self.stratify, rng=rng)
        reason = "" if sent is None else f"listed in {sent.file.name}"
        return self.selection(
            [pool.image_id[row] for row in rows],
            pool.size_bytes[rows],
            np.ones(len(rows)),
            [reason] * len(rows),
        )

    def _batch(self, index: PathIndex, n_images: int) -> int:
        tails = [_agreement(index, part, n_images) for part in sample_lists(self.folder)]
        best = int(np.argmax([tail.sum() for tail in tails]))
        if np.count_nonzero(tails[best]) * 2 < n_images:
            raise InputError(
                f"{self.folder}: no sample<b>.txt there holds the images of this batch; set "
                f"lists to the same folder, so that batches are those of {self.of}"
            )
        return best


def _agreement(index: PathIndex, part: ImageList, n_images: int) -> IntArray:
    """Return how many parts of its path each image shares with the list, shape (n_images,)."""
    shared = np.zeros(n_images, dtype=np.int64)
    for path in part.paths:
        rows, tail = index.find(path)
        shared[rows] = np.maximum(shared[rows], tail)
    return shared


def _rows(index: PathIndex, part: ImageList) -> IntArray:
    """Return the images that the list names, each once, leaving out those not in the pool."""
    found: dict[int, None] = {}
    for path, place in part.places():
        rows, _ = index.find(path)
        if len(rows) > 1:
            raise InputError(f"{place}: {path} may be one of {len(rows)} images of this batch")
        found |= dict.fromkeys(rows)
    return np.array(list(found), dtype=np.int64)
