"""What edge nodes and annotators do, for tests: they drop images and labels into a store."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from tests.e2e.conftest import FIXED

N_INITIAL = 16
BATCH = 8

CONFIG: dict[str, Any] = {
    "name": "edge",
    "seed": 1,
    "control": False,
    "data": {"kind": "inbox"},
    "initial": {"images": None, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": BATCH, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 4},
    "methods": [{"kind": "iqr"}],
    "training": {
        **FIXED,
        "max_epochs": 2,
        "retrain_max_epochs": 1,
        "img_size": 64,
        "batch_size": 8,
        "threads": 1,
        "device": "cpu",
        "warmup_epochs": 0,
    },
    "inference": {"conf_check_num": 2, "conf_thres": 0.001},
}


@dataclass(frozen=True)
class Edge:
    """Scenes of digits, of which the first are the initial data set.

    Args:
        scenes: Where they lie.
        store: The store that nodes and annotators write to.
        fs: Its filesystem.
    """

    scenes: Path
    store: str
    fs: Any

    @classmethod
    def begin(cls, folder: Path, store: str, fs: Any = None, images: int = 60) -> "Edge":
        """Write the scenes, and put the initial data set into the store."""
        write_scenes(folder, DigitsData(images=images, size_px=64))
        edge = cls(folder, store, fs or fsspec.filesystem("file", auto_mkdir=True))
        edge.fs.put_file(str(folder / "data.yaml"), f"{store}/initial/data.yaml")
        for number in range(N_INITIAL):
            image, label = edge._files(number)
            edge.fs.put_file(str(image), f"{store}/initial/images/{image.name}")
            edge.fs.put_file(str(label), f"{store}/initial/labels/{label.name}")
        return edge

    def config(self, address: str, **changes: Any) -> dict[str, Any]:
        """Return the campaign whose store has that address for those who play it."""
        data = {"kind": "folder", "root": f"{address}/initial"}
        initial = {**CONFIG["initial"], "data": data}
        return {**CONFIG, "store": address, "initial": initial, **changes}

    def drop(self, node: str, numbers: Iterable[int], labelled: bool = True) -> None:
        """Drop images, counted from the first after the initial set, as a node does."""
        for number in numbers:
            image, _ = self._files(N_INITIAL + number)
            self.fs.put_file(str(image), f"{self.store}/inbox/{node}/{image.name}")
            if labelled:
                self.label(node, number)

    def label(self, node: str, number: int) -> None:
        """Put the labels of an image, as an annotator does."""
        _, label = self._files(N_INITIAL + number)
        self.fs.put_file(str(label), f"{self.store}/labels/{node}/{label.name}")

    def label_sent(self, node: str) -> None:
        """Put the labels of all that an agent put into the inbox, found by their content."""
        scenes = {image.read_bytes(): image for image in (self.scenes / "images").iterdir()}
        for sent in self.fs.ls(f"{self.store}/inbox/{node}", detail=False):
            label = self.scenes / "labels" / f"{scenes[self.fs.cat_file(sent)].stem}.txt"
            name = f"{sent.rpartition('/')[2].rpartition('.')[0]}.txt"
            self.fs.put_file(str(label), f"{self.store}/labels/{node}/{name}")

    def _files(self, number: int) -> tuple[Path, Path]:
        image = sorted((self.scenes / "images").iterdir())[number]
        return image, self.scenes / "labels" / f"{image.stem}.txt"
