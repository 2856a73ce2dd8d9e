"""The class list that the categories of COCO files make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backhaul.data.formats.cocofile import Category, Id
from backhaul.data.formats.files import read_names
from backhaul.data.formats.report import Problem
from backhaul.errors import InputError


@dataclass(frozen=True, slots=True)
class Classes:
    """A class list, the class id of each category, and how categories were understood."""

    names: tuple[str, ...]
    of_category: Mapping[Id, int]
    notes: tuple[Problem, ...]


def classes_of(
    root: Path, categories: Mapping[Id, Category], used: set[Id], names: Path | None
) -> Classes:
    """Return the classes of a data set, in the order of category ids or as `names` has them.

    Args:
        root: Folder of the data set.
        categories: All categories.
        used: Those that an annotation has.
        names: File of class names, or None.

    Raises:
        InputError: If `names` cannot be read, or lacks a category.
    """
    in_order = sorted(categories, key=lambda key: (isinstance(key, str), key))
    groups = [key for key in in_order if key not in used and _is_group(key, categories)]
    kept = [key for key in in_order if key not in groups]
    found = tuple(dict.fromkeys(categories[key].name for key in kept))
    class_names = found if names is None else read_names(names)
    missing = set(found) - set(class_names)
    if missing:
        raise InputError(f"{names}: category {min(missing)!r} is missing")
    notes = [_note_of_group(root, key, categories[key].name) for key in groups]
    notes += [
        _note_of_name(root, name, same)
        for name in found
        if len(same := [key for key in kept if categories[key].name == name]) > 1
    ]
    position = {name: class_id for class_id, name in enumerate(class_names)}
    of_category = {key: position[categories[key].name] for key in kept}
    return Classes(class_names, of_category, tuple(notes))


def _is_group(key: Id, categories: Mapping[Id, Category]) -> bool:
    """Return whether a category groups others, as the one that Roboflow adds."""
    name, group = categories[key]
    others = (category for other, category in categories.items() if other != key)
    return group is None and any(other.group == name for other in others)


def _note_of_group(root: Path, key: Id, name: str) -> Problem:
    reason = f"category {name!r} (id {key}) is no class: it has no annotation and groups others"
    return Problem(root.as_posix(), None, reason, "note")


def _note_of_name(root: Path, name: str, same: list[Id]) -> Problem:
    ids = ", ".join(map(str, same))
    return Problem(root.as_posix(), None, f"categories {ids} are one class: {name!r}", "note")
