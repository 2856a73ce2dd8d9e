"""Sets of images that the earlier tool was given as a list file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from backhaul.data.formats.files import read_names
from backhaul.data.imagelists import read_list
from backhaul.errors import InputError
from backhaul.untrusted import user_path


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A data set that says which images are in it, wherever these lie.

    Args:
        root: Its folder, to be written.
        files: Text of its files, by name.
    """

    root: Path
    files: dict[str, str]


def listed_set(given: str, class_list: str | None, root: Path) -> ListedSet | None:
    """Return the data set that a list of images stands for; None if `given` is no file.

    A path in the list is meant from the working directory, as then, or else from the folder
    of the list, if there is an image.

    Args:
        given: A folder, or a file with one path of an image a line.
        class_list: File with one class name a line.
        root: Folder of the data set, to be written.

    Raises:
        InputError: If the list cannot be read or is empty, or there is no class list.
    """
    path = user_path(given)
    if not path.is_file():
        return None
    if class_list is None:
        raise InputError(f"{given}: a list of images needs class_list as well")
    names = read_names(user_path(class_list))
    listed = read_list(path)
    if not listed.paths:
        raise InputError(f"{given}: is empty, expected paths of images, one a line")
    lines = "".join(f"{_place(image, path.parent)}\n" for image in listed.paths)
    about = {"path": root.absolute().as_posix(), "train": LIST, "names": list(names)}
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    return ListedSet(root, {"data.yaml": text, LIST: lines})


LIST = "images.txt"


def _place(image: str, beside: Path) -> str:
    """Return where an image is; if it is nowhere, as it was meant then."""
    named = Path(image.replace("\\", "/"))
    places = [Path.cwd() / named, beside.absolute() / named]
    return next((p for p in places if p.is_file()), places[0]).as_posix()
