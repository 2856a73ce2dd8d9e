"""What the cameras of the ring see: scenes of handwritten digits, with their truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from backhaul.data.digits import NAMES, write_scenes
from backhaul.data.formats.yolo import parse_lines
from backhaul.data.images import ImageFile
from backhaul.data.settings import DigitsData
from backhaul.values.labels import Labels

SIZE_PX = 96


@dataclass(frozen=True)
class Scenes:
    """Scenes in a folder, in a fixed order.

    Args:
        folder: The folder, in the layout of YOLO.
    """

    folder: Path

    @classmethod
    def draw(cls, folder: Path, n_scenes: int) -> Scenes:
        """Draw scenes into a folder; to do so again changes nothing."""
        write_scenes(folder, DigitsData(images=n_scenes, size_px=SIZE_PX))
        return cls(folder)

    @cached_property
    def pictures(self) -> tuple[Path, ...]:
        """All pictures."""
        return tuple(sorted((self.folder / "images").iterdir()))

    def label_file(self, picture: Path) -> Path:
        """Return the file with the true labels of a picture."""
        return self.folder / "labels" / f"{picture.stem}.txt"

    def image_file(self, picture: Path) -> ImageFile:
        """Return a picture as what labels are read for."""
        n_bytes = picture.stat().st_size
        return ImageFile(str(picture), picture.stem, SIZE_PX, SIZE_PX, n_bytes)

    def truth(self, picture: Path) -> Labels:
        """Return the true labels of a picture."""
        place = self.label_file(picture)
        labels, _ = parse_lines(
            place.read_text(), str(place), self.image_file(picture), len(NAMES)
        )
        return Labels.empty() if labels is None else labels
