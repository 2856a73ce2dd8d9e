"""A YOLO folder that is written image by image."""

from __future__ import annotations

from pathlib import Path

from backhaul.arrays import FloatArray
from backhaul.data.formats.yolo import write_data_yaml


def new_yolo_folder(folder: Path, class_names: tuple[str, ...]) -> None:
    """Make a folder with ``images/``, ``labels/`` and ``data.yaml``.

    Args:
        folder: New folder.
        class_names: Names of the classes, in the order of their ids.
    """
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    write_data_yaml(folder, class_names)


def put_labelled(folder: Path, name: str, content: bytes, rows: FloatArray) -> None:
    """Write an image and its labels into a folder of `new_yolo_folder`.

    Args:
        folder: The folder.
        name: Name of the image, with its suffix.
        content: The image file.
        rows: Class id, and centre x and y, width and height in fractions, shape (n, 5).
    """
    (folder / "images" / name).write_bytes(content)
    lines = (f"{row[0]:.0f} " + " ".join(f"{value:.6f}" for value in row[1:]) for row in rows)
    path = (folder / "labels" / name).with_suffix(".txt")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
