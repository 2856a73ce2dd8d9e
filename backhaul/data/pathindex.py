"""Find files by paths that may have been written on another machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from backhaul.data.filenames import one_form


class PathIndex:
    """Finds files by paths that may have been written on another machine.

    A path refers to the file whose own path has most parts in common with it, counted from the
    file name up; the file names at least must be equal. Parts that differ in their Unicode form
    alone are equal, but of files alike otherwise the one in the path's own form counts.

    Args:
        paths: The files, with ``/`` as separator.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(paths)
        self._rows: dict[str, list[int]] = {}
        for row, path in enumerate(self._paths):
            self._rows.setdefault(one_form(path.rpartition("/")[2]), []).append(row)

    def find(self, path: str) -> tuple[list[int], int]:
        r"""Return the rows of the files that a path may mean, and how many parts they share.

        There may be none, one, or several alike.

        Args:
            path: What was written, with ``/`` or ``\\`` as separator.
        """
        path = path.replace("\\", "/")
        rows = self._rows.get(one_form(path.rpartition("/")[2]), [])
        if not rows:
            return [], 0
        shared = [_shared(path, self._paths[row]) for row in rows]
        most = max(shared)
        return [row for row, alike in zip(rows, shared, strict=True) if alike == most], most[0]


def _shared(path: str, other: str) -> tuple[int, int]:
    """Return how many last parts two paths share in one Unicode form, and as they are."""
    exact = _common_tail(path.split("/"), other.split("/"))
    if path.isascii() or other.isascii():
        return exact, exact
    return _common_tail(one_form(path).split("/"), one_form(other).split("/")), exact


def _common_tail(parts: Sequence[str], others: Sequence[str]) -> int:
    pairs = zip(reversed(parts), reversed(others), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
