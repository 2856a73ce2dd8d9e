"""Data sets in each label format: small ones that `write` of the format made."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import pandas as pd
from numpy.random import Generator
from PIL import Image

from backhaul.data.formats import FORMATS, read
from backhaul.data.images import ImageReader, probe
from backhaul.data.settings import FolderData
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels
from fuzzing.mutation import mutate, pick
from fuzzing.reader import Reader
from fuzzing.tree import Tree, kept_folder

NAMES = ("car", "van", "walker")
_IMAGE_SUFFIX = ".png"


@cache
def small_images(n_images: int) -> ImageSet:
    """Return labelled images, which lie in a temporary folder."""
    folder = kept_folder()
    rows = []
    for number in range(n_images):
        path = folder / f"{number}{_IMAGE_SUFFIX}"
        Image.new("RGB", (40 + number, 30), (number, 0, 0)).save(path)
        file = probe(path.as_posix())
        boxes = [(k % len(NAMES), 0.5, 0.5, 0.25, 0.5 / (k + 1)) for k in range(number + 1)]
        rows.append(
            {
                "image_id": file.image_id,
                "uri": file.path,
                "width": file.width,
                "height": file.height,
                "size_bytes": file.size_bytes,
                "group": None,
                "labels": Labels.from_rows(boxes),
                "label_source": "dataset",
                "copy_of": None,
            }
        )
    return ImageSet(pd.DataFrame(rows), NAMES)


@cache
def _written(name: str, n_images: int) -> Tree:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "set"
        FORMATS[name].write(folder, small_images(n_images))
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def _seeds(name: str, rng: Generator) -> Tree:
    tree = dict(_written(name, int(rng.integers(1, 4))))
    if name == "yolo" and rng.random() < 0.5:
        images = [path for path in tree if path.endswith(_IMAGE_SUFFIX)]
        tree["lists/train.txt"] = "".join(f"../{path}\n" for path in images).encode()
        form = pick(
            (b"train: lists/train.txt", b"path: .\ntrain: [images, lists/train.txt]"), rng
        )
        tree["data.yaml"] = form + b"\nval: images\nnc: 3\nnames: [car, van, walker]\n"
    return tree


def _mutate(tree: Tree, rng: Generator) -> Tree:
    """Change a file with labels; images are other readers' affair."""
    labels = {k: v for k, v in tree.items() if not k.endswith(_IMAGE_SUFFIX)}
    return {k: v for k, v in tree.items() if k not in labels} | mutate(labels, rng)


def _read(name: str, folder: Path) -> Iterable[str]:
    data = FolderData(root=folder.as_posix(), format=name)
    return map(str, read(data, ImageReader(at_once=1)).problems)


READERS = tuple(
    Reader(name, partial(_seeds, name), partial(_read, name), _mutate) for name in FORMATS
)
