"""Methods that divide the bandwidth among bins of confidence."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.arrays import FloatArray, IntArray
from backhaul.sampling.confidence import ConfidenceSampling
from backhaul.sampling.density import Density, NonNegative, NormalDensity, areas, may_be_missed
from backhaul.sampling.sightings import Sightings
from backhaul.sampling.spending import Strata
from backhaul.settings import Probability


class BinFamily(ConfidenceSampling):
    """Every bin [a, b) has a share; images of a bin are equally likely.

    An image is a candidate in each bin that holds one of its detections and counts for the one
    that drew it. A bin without a share is not sampled. With `stratify` the shares hold within
    each predicted class.
    """

    stratify: bool = Field(False, description="give every predicted class an equal share first")

    @abstractmethod
    def bin_edges(self) -> FloatArray:
        """Return ascending edges, shape (n_bins + 1,); the last bin is closed at 1."""

    @abstractmethod
    def bin_shares(self) -> FloatArray:
        """Return the shares, >= 0, in any unit, shape (n_bins,)."""

    def weights(self, confidence: FloatArray, population: FloatArray) -> FloatArray:
        """Return 1 inside a bin that has a share and 0 elsewhere, shape (n,)."""
        padded = np.array([0.0, *(self.bin_shares() > 0), 0.0])
        return padded[self._bin_of(confidence) + 1]

    def levels(self, seen: Sightings) -> tuple[Strata, ...]:
        """Return the classes if asked for, then the bins."""
        shares = self.bin_shares()
        of = np.clip(self._bin_of(seen.confidence), 0, shares.size - 1)
        return (*super().levels(seen), Strata(of, shares, np.full(shares.size, np.inf)))

    def reason(self, class_id: int, confidence: float) -> str:
        """Return the bin an image was drawn for, after its class where classes have shares."""
        edges = self.bin_edges()
        i = int(self._bin_of(np.array([confidence]))[0])
        name = f"bin [{edges[i]:.3g}, {edges[i + 1]:.3g}{']' if edges[i + 1] == 1 else ')'}"
        return f"{super().reason(class_id, confidence)}, {name}" if self.stratify else name

    def _bin_of(self, confidence: FloatArray) -> IntArray:
        """Return the bin of each confidence, -1 below the first and n_bins above the last."""
        edges = self.bin_edges()
        edges[-1] = np.nextafter(1.0, 2.0) if edges[-1] == 1 else edges[-1]
        return np.searchsorted(edges, confidence, side="right") - 1


class BinQuintileSampling(BinFamily):
    """Five bins of width 0.2 with equal shares."""

    kind: Literal["bin-quintile"] = "bin-quintile"

    def bin_edges(self) -> FloatArray:
        """Return 0, 0.2, ..., 1."""
        return np.arange(6) / 5

    def bin_shares(self) -> FloatArray:
        """Return equal shares."""
        return np.ones(5)


class BinNormalSampling(BinFamily):
    """Five bins of width 0.2 with shares by the normal density of mean 0.5 and spread 0.25."""

    kind: Literal["bin-normal"] = "bin-normal"

    def bin_edges(self) -> FloatArray:
        """Return 0, 0.2, ..., 1."""
        return np.arange(6) / 5

    def bin_shares(self) -> FloatArray:
        """Return the area under the density over each bin."""
        return areas(NormalDensity(mean=0.5, std=0.25), self.bin_edges())


class BinSampling(BinFamily):
    """Bins and shares of one's own.

    Example:
        >>> BinSampling(n_bins=4, shares=(1, 0, 0, 3)).bin_edges().tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """

    source: ClassVar[str] = "this project"

    kind: Literal["bin"] = "bin"
    n_bins: int | None = Field(
        None, ge=1, le=1_000, description="bins of equal width over [0, 1]"
    )
    edges: tuple[Probability, ...] | None = Field(
        None, min_length=2, description="instead of n_bins: ascending edges"
    )
    shares: tuple[NonNegative, ...] | None = Field(
        None, description="share of each bin, in any unit; equal without shares and density"
    )
    density: Density | None = Field(None, description="instead of shares: they are its areas")

    @property
    def revision(self) -> int:
        """2 with a density that is narrower than a bin: its peak was missed."""
        return 2 if may_be_missed(self.density) else super().revision

    @model_validator(mode="after")
    def _check_bins(self) -> Self:
        if (self.n_bins is None) == (self.edges is None):
            raise ValueError("expected n_bins or edges, and not both")
        if self.shares is not None and self.density is not None:
            raise ValueError("expected shares or density, not both")
        edges = self.bin_edges()
        if not np.all(np.diff(edges) > 0):
            raise ValueError(f"edges must ascend, got {self.edges}")
        if self.shares is not None and len(self.shares) != edges.size - 1:
            raise ValueError(f"expected {edges.size - 1} shares, got {len(self.shares)}")
        return self

    def bin_edges(self) -> FloatArray:
        """Return `edges`, or those of `n_bins` bins."""
        if self.edges is not None:
            return np.array(self.edges, dtype=np.float64)
        return np.linspace(0.0, 1.0, (self.n_bins or 1) + 1)

    def bin_shares(self) -> FloatArray:
        """Return `shares`, the areas under `density`, or equal shares."""
        if self.shares is not None:
            return np.array(self.shares, dtype=np.float64)
        if self.density is not None:
            return areas(self.density, self.bin_edges())
        return np.ones(self.bin_edges().size - 1)
