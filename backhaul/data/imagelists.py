"""Plain lists of image paths, one a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from backhaul.data.images import is_image
from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_text

MOST_BYTES = 2**30
"""Of a list."""


class ImageList(BaseModel):
    """The lines of one list.

    Args:
        file: The list.
        paths: Paths of images as they were written.
        numbers: Line of each path, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    resources: ClassVar[frozenset[str]] = frozenset({"file", "numbers"})
    """Where a list lies changes no result, so it enters no cache key."""

    file: Path
    paths: tuple[str, ...]
    numbers: tuple[int, ...]

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each path with its line, as ``file:line``."""
        for path, number in zip(self.paths, self.numbers, strict=True):
            yield path, f"{self.file}:{number}"


def read_list(path: Path) -> ImageList:
    """Return the lines of one list; empty lines do not count.

    Raises:
        InputError: If it is missing or is no text.
    """
    try:
        lines = read_text(path, MOST_BYTES).split("\n")
    except InputError as error:
        raise InputError(f"{error}; expected a list of images") from None
    found = [(line.strip(), number) for number, line in enumerate(lines, 1) if line.strip()]
    return ImageList(
        file=path, paths=tuple(p for p, _ in found), numbers=tuple(n for _, n in found)
    )


def sample_lists(folder: Path) -> tuple[ImageList, ...]:
    """Return the lists ``sample<b>.txt`` of a folder, the images of each batch b, by b.

    Raises:
        InputError: If there is none, or one is missing between them.
    """
    names = folder.iterdir() if folder.is_dir() else iter(())
    found = {
        int(match.group(1)): path
        for path in sorted(names)
        if (match := re.fullmatch(r"sample(\d+)\.txt", path.name))
    }
    missing = next(b for b in range(len(found) + 1) if b not in found)
    if not found or missing < len(found):
        raise InputError(f"{folder / f'sample{missing}.txt'}: expected a list of images there")
    return tuple(read_list(found[batch]) for batch in range(len(found)))


def shown(path: str) -> str:
    """Return a line of a list as errors name it: as it is only where it looks like an image."""
    return one_line(path) if is_image(path) else "the line"
