"""Feature vectors of whole images: of a detector's inner layers, or of colours and textures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import Float32Array, NameArray
from backhaul.values.columns import names_of, positions, require_length


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A feature vector for each image; similar images have similar vectors.

    Args:
        image_id: Names of the images, each once, shape (n,).
        vectors: Their features, shape (n, d).

    Raises:
        ValueError: If the lengths differ.
    """

    image_id: NameArray
    vectors: Float32Array

    def __post_init__(self) -> None:
        require_length(len(self.image_id), {"vectors": self.vectors})

    @staticmethod
    def concat(parts: Iterable[Features]) -> Features | None:
        """Return the features of all images of `parts`; None without any part."""
        every = list(parts)
        if not every:
            return None
        image_id = np.concatenate([part.image_id for part in every])
        return Features(image_id, np.concatenate([part.vectors for part in every]))

    def of(self, image_id: Sequence[str]) -> Float32Array:
        """Return the features of images, in their order, shape (n, d).

        Raises:
            KeyError: If an image has none.
        """
        place = {name: i for i, name in enumerate(self.image_id.tolist())}
        return self.vectors[[place[name] for name in image_id]]

    def filled(self, image_id: Sequence[str]) -> Features:
        """Return the features of images, in their order, zeros where an image has none."""
        names = names_of(image_id)
        place = positions(names, self.image_id.tolist())
        vectors = np.zeros((len(names), self.vectors.shape[1]), np.float32)
        vectors[place >= 0] = self.vectors[place[place >= 0]]
        return Features(names, vectors)

    def only(self, image_id: Sequence[str]) -> Features:
        """Return the features of these images, as far as they have any."""
        kept = positions(self.image_id, image_id) >= 0
        return Features(self.image_id[kept], self.vectors[kept])
