"""The data.yaml of a YOLO data set, and its class names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backhaul.data.formats.files import Listing, require_names
from backhaul.data.formats.report import Problem
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, read_bytes, understanding
from backhaul.yamltext import parse_yaml

SUBSETS = ("train", "val", "valid", "test")
"""The keys that say where images lie."""
_NAMES = re.compile(rb"(?:^|[{,]\s*)[\"']?names[\"']?\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DataYaml:
    """A data.yaml.

    Args:
        path: The file.
        content: What it says, ``names`` among it.
    """

    path: Path
    content: dict[str, Any]

    @property
    def names_images(self) -> bool:
        """Whether it says where images lie."""
        return any(self.content.get(subset) for subset in SUBSETS)


def find_yaml(listing: Listing) -> DataYaml | None:
    """Return the data.yaml of a data set; None without one.

    Raises:
        InputError: If there are several that say different things, or one beside the images
            cannot be read.
    """
    paths = map(Path, listing.of(".yaml", ".yml"))
    found = list(_read(path for path in paths if path.parent == listing.root))
    found.sort(key=lambda data: data.path.stem != "data")
    for other in found[1:]:
        if _what_matters(other) != _what_matters(found[0]):
            raise InputError(
                f"{listing.root}: which is its data.yaml: {found[0].path.name} or "
                f"{other.path.name}? They differ; expected one"
            )
    return found[0] if found else None


def find_nested(listing: Listing) -> list[DataYaml]:
    """Return what files called data.yaml in folders below that of the data set say.

    Raises:
        InputError: If one cannot be read.
    """
    paths = map(Path, listing.of(".yaml", ".yml"))
    return list(
        _read(path for path in paths if path.stem == "data" and path.parent != listing.root)
    )


def find_every(listing: Listing) -> list[DataYaml]:
    """Return what the YAML files that name classes say, in whatever folder they are.

    Raises:
        InputError: If one cannot be read.
    """
    return list(_read(map(Path, listing.of(".yaml", ".yml"))))


def unread(listing: Listing) -> list[Problem]:
    """Return a note for each YAML file in a data set's folder that is passed over unread.

    It is of something else, as it names no classes.
    """
    problems = []
    for path in listing.of(".yaml", ".yml"):
        if Path(path).parent == listing.root:
            try:
                _parse(Path(path))
            except UnreadableFileError:
                continue
            except _ForeignYamlError as error:
                problems.append(Problem(path, None, f"{error}; passed over", "note"))
            except InputError:
                continue
    return problems


class _ForeignYamlError(InputError):
    """A file that cannot be parsed, and has no key ``names``."""


def _parse(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        _ForeignYamlError: If it is not to be parsed, and is no data.yaml.
        InputError: If it cannot be read, or not be parsed and may be one.
    """
    data = read_bytes(path)
    try:
        return parse_yaml(data)
    except InputError as error:
        if _NAMES.search(data) is None:
            raise _ForeignYamlError(str(error)) from None
        raise InputError(f"{path}: {error}") from None


def _read(paths: Iterable[Path]) -> Iterable[DataYaml]:
    """Yield the YAML files that name classes."""
    for path in paths:
        try:
            content = _parse(path)
        except _ForeignYamlError:
            continue
        if isinstance(content, dict) and "names" in content:
            yield DataYaml(path, content)


def _what_matters(data: DataYaml) -> tuple[Any, ...]:
    keys = ("path", *SUBSETS)
    return (names_of(data), *(data.content.get(key) or None for key in keys))


def names_of(data: DataYaml) -> tuple[str, ...]:
    """Return the class names.

    Raises:
        InputError: If they are no list of texts, or no texts by class id.
    """
    with understanding(data.path):
        return _names_of(data)


def _names_of(data: DataYaml) -> tuple[str, ...]:
    names, count = data.content["names"], data.content.get("nc")
    if isinstance(names, dict):
        of_id = {str(class_id): name for class_id, name in names.items()}
        ids = [str(class_id) for class_id in range(len(names))]
        if sorted(of_id) != sorted(ids):
            raise InputError(
                f"{data.path}: names: expected class ids 0..{len(names) - 1} as keys"
            )
        names = [of_id[class_id] for class_id in ids]
    if not isinstance(names, list):
        raise InputError(f"{data.path}: names: expected a list, or class ids and names")
    for number, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            shown = repr(name) if isinstance(name, bool) else f"that of class {number}"
            raise InputError(f"{data.path}: names: {shown} is no text; put it in quotes")
    if count not in (None, len(names)):
        told = f"nc is {count}" if isinstance(count, int) else "nc is no number"
        raise InputError(f"{data.path}: {told}, but there are {len(names)} names")
    return require_names(data.path, [str(name) for name in names])


def require_boxes(data: DataYaml) -> None:
    """Do nothing unless a data.yaml says that its label files hold the keypoints of poses.

    Raises:
        InputError: If it does: such a line is not to be told from an outline.
    """
    if data.content.get("kpt_shape"):
        raise InputError(
            f"{data.path}: kpt_shape: lines with keypoints are not read; expected labels of "
            "boxes or outlines"
        )
