"""Plain lists of image paths, one a line, and the images that the paths refer to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
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


class PathIndex:
    """Finds images by paths that may have been written on another machine.

    A path refers to the image whose own path has most parts in common with it, counted from the
    file name up; the file names at least must be equal.
    """

    def __init__(self, uris: Iterable[str]) -> None:
        self._rows: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
        for row, uri in enumerate(uris):
            parts = _parts(uri)
            self._rows[parts[-1]].append((parts, row))

    def find(self, path: str) -> tuple[list[int], int]:
        """Return the images that `path` may refer to, and how many parts they have in common.

        There may be none, one, or several alike.
        """
        parts = _parts(path)
        tails = [(_common_tail(parts, own), row) for own, row in self._rows.get(parts[-1], [])]
        longest = max((tail for tail, _ in tails), default=0)
        return [row for tail, row in tails if tail == longest], longest


def _parts(path: str) -> list[str]:
    return path.replace("\\", "/").split("/")


def _common_tail(a: list[str], b: list[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
