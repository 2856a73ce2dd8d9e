"""A choice as a file: a table, JSON, or a list of paths; and copies of its images."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from backhaul.data.formats.conversion import require_target
from backhaul.data.formats.writing import copy_file, new_folder
from backhaul.data.images import OnProgress
from backhaul.errors import InputError
from backhaul.predictions.chosen import Chosen
from backhaul.untrusted import one_line


def to_json(chosen: Chosen) -> str:
    """Return a choice as JSON; a value that is not known is null."""
    options = chosen.options
    rows = [
        {**row, "value": None if math.isnan(row["value"]) else row["value"]}
        for row in chosen.table.to_dict("records")
    ]
    whole = {
        "method": chosen.method,
        "bandwidth": chosen.bandwidth.model_dump(),
        "pool": {
            "images": len(options.pool),
            "bytes": options.n_bytes,
            "undetected": options.n_undetected,
        },
        "chosen": {
            "images": len(chosen.images),
            "bytes": chosen.n_bytes,
            "undetected": chosen.n_undetected,
            "near_duplicates": chosen.n_near_duplicates,
        },
        "notes": chosen.notes,
        "selection": rows,
    }
    return json.dumps(whole, indent=2)


def to_csv(chosen: Chosen) -> str:
    """Return the table of a choice as CSV."""
    return chosen.table.to_csv(index=False, lineterminator="\n")


def to_list(chosen: Chosen) -> str:
    """Return the paths of the images of a choice, one a line.

    Raises:
        InputError: If one has a line end in it.
    """
    for path in map(str, chosen.files):
        if "\n" in path or "\r" in path:
            raise InputError(
                f"{one_line(path)}: has a line end in its path, which a list cannot say; "
                "expected a name that ends in .csv or .json (--out)"
            )
    return "".join(f"{path}\n" for path in chosen.files)


WRITERS: Mapping[str, Callable[[Chosen], str]] = {
    ".csv": to_csv,
    ".json": to_json,
    ".txt": to_list,
}
"""How a choice is written, by the suffix of the file."""


def require_writable(path: Path, images: Path) -> None:
    """Do nothing if a choice can be written to a path, as its name and folder are.

    Args:
        path: The file to write.
        images: Folder of the images, which nothing is written into.

    Raises:
        InputError: If its suffix says no format, its folder is not there, or is in `images`.
    """
    if path.suffix.lower() not in WRITERS:
        raise InputError(f"{path}: expected a name that ends in {', '.join(WRITERS)} (--out)")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if path.resolve().is_relative_to(images.resolve()):
        raise InputError(f"{path}: lies in {images}; expected a file outside of it (--out)")


def write_chosen(path: Path, chosen: Chosen) -> None:
    """Write a choice in the format that the suffix of `path` says."""
    path.write_text(WRITERS[path.suffix.lower()](chosen), encoding="utf-8")


def copy_chosen(folder: Path, chosen: Chosen, on_progress: OnProgress) -> None:
    """Copy the chosen images into a new folder, with the folders that they are in.

    Args:
        folder: New or empty, and not in the folder of the images.
        chosen: The choice.
        on_progress: Called with how many are copied, and how many there are.

    Raises:
        InputError: If it is another folder.
    """
    require_target(folder, chosen.options.root)
    new_folder(folder)
    for number, (name, path) in enumerate(
        zip(chosen.table["file"], chosen.files, strict=True), start=1
    ):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(path.as_posix(), target)
        on_progress(number, len(chosen.files))
