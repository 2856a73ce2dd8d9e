"""Darknet's ``.data`` file: ``train = data/train.txt``, ``names = data/obj.names``, and so on.

Its paths start from where Darknet was run, mostly the folder above that of the data set.
"""

from __future__ import annotations

import re
from pathlib import Path

from backhaul.data.formats.datayaml import DataYaml
from backhaul.data.formats.files import Listing, read_names
from backhaul.data.formats.yamlplaces import NothingThereError, Places
from backhaul.data.images import ImageReader
from backhaul.errors import InputError
from backhaul.untrusted import DanglingLinkError, UnreadableFileError, read_bytes, text_of

_NAMES = re.compile(rb"(?:^|\r)(?:\xef\xbb\xbf)?[ \t]*names[ \t]*=", re.MULTILINE)
_KEYS = {"train": "train", "valid": "val", "test": "test"}


def find_data(listing: Listing, reader: ImageReader) -> DataYaml | None:
    """Return what the ``.data`` file in the folder of a data set says; None without one.

    Raises:
        InputError: If there are several, one is no UTF-8 text, or the class names that it names
            are not there.
    """
    paths = [Path(path) for path in listing.of(".data")]
    found = [(path, _read(path)) for path in paths if path.parent == listing.root]
    known = [(path, keys) for path, keys in found if "names" in keys]
    if len(known) > 1:
        listed = " or ".join(path.name for path, _ in known)
        raise InputError(f"{listing.root}: which is its .data file: {listed}? Expected one")
    return _understood(*known[0], reader) if known else None


def _read(path: Path) -> dict[str, str]:
    """Return what a ``.data`` file says by key.

    Raises:
        UnreadableFileError: If it is a link to nothing, or names classes and is no UTF-8 text.
    """
    try:
        data = read_bytes(path)
    except DanglingLinkError:
        raise
    except UnreadableFileError:  # many a file is called .data
        return {}
    if _NAMES.search(data) is None:
        return {}
    lines = text_of(path, data).splitlines()
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def _understood(path: Path, keys: dict[str, str], reader: ImageReader) -> DataYaml:
    here = path.parent.as_posix()
    places = Places(here, here, reader)
    try:
        names = places.literal((keys["names"],), (here,)) or places.below(keys["names"])
    except NothingThereError as error:
        raise InputError(f"{path}: names: {error}") from None
    if names is None:
        raise InputError(f"{path}: names: no file {keys['names']} there; correct it")
    subsets = {ours: keys[theirs] for theirs, ours in _KEYS.items() if keys.get(theirs)}
    return DataYaml(path, {"names": list(read_names(Path(names))), **subsets})
