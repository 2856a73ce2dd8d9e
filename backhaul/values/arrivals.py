"""How nodes chose the images of a batch that arrived from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, NameArray
from backhaul.values.columns import Schema, frame_of, names_of, positions, require_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

EXPLORED = "explored"
"""Why an image was sent that chance drew, whatever it shows."""

ARRIVAL_SCHEMA: Schema = {
    "image_id": "text",
    "policy": "text",
    "why": "text",
    "probability": "float64",
    "captured_s": "float64",
}


@dataclass(frozen=True, eq=False)
class Arrivals:
    """How the node of each image chose it, in columns of n rows; unknown where it did not say.

    Args:
        image_id: The images, each once.
        policy: Name of the policy in whose window the image was captured; empty = unknown.
        why: Why it was sent: ``explored`` (chance drew it), ``valued``, ``wanted`` (home asked
            for it); empty = unknown.
        probability: With which probability chance would have drawn it, in [0, 1]; NaN =
            unknown.
        captured_s: When it was captured, seconds since 1970 by the node's clock; NaN = unknown.

    Raises:
        ValueError: If lengths differ.
    """

    image_id: NameArray
    policy: NameArray
    why: NameArray
    probability: FloatArray
    captured_s: FloatArray

    def __post_init__(self) -> None:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        require_length(len(self.image_id), columns)

    def __len__(self) -> int:
        return len(self.image_id)

    @property
    def is_explored(self) -> BoolArray:
        """Which images chance drew, with a probability that is known, shape (n,)."""
        drawn: BoolArray = (self.why == EXPLORED) & (self.probability > 0)
        return drawn

    def by(self, policy: str) -> BoolArray:
        """Return which images arrived by a policy, shape (n,); empty = all."""
        return self.policy == policy if policy else np.ones(len(self), dtype=bool)

    def of(self, image_id: Sequence[str]) -> Arrivals:
        """Return how these images were chosen, in their order.

        Raises:
            ValueError: If one is not there.
        """
        rows = positions(names_of(image_id), self.image_id.tolist())
        if np.any(rows < 0):
            raise ValueError("an image is none of those that arrived")
        return Arrivals(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def from_table(table: pd.DataFrame) -> Arrivals:
        """Return the rows of a data frame with the columns of ``ARRIVAL_SCHEMA``."""
        columns: dict[str, Any] = {
            name: names_of(table[name]) if kind == "text" else table[name].to_numpy(dtype=kind)
            for name, kind in ARRIVAL_SCHEMA.items()
        }
        return Arrivals(**columns)

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a data frame with the columns of ``ARRIVAL_SCHEMA``."""
        columns = {name: getattr(self, name) for name in ARRIVAL_SCHEMA}
        texts = [name for name, kind in ARRIVAL_SCHEMA.items() if kind == "text"]
        return frame_of(columns, texts=texts)
