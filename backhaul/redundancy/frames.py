"""The frames of a folder in order of capture, node by node, without any labels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backhaul.arrays import Float32Array, IntArray
from backhaul.data.formats.files import scan
from backhaul.data.images import ImageFile, ImageReader, OnProgress, at_header
from backhaul.errors import InputError
from backhaul.look.descriptors import N_VALUES, describe_files
from backhaul.naturalorder import natural

_CHUNK = 16  # images from one report of progress to the next


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of several nodes, n of them: node by node, and of each in order of capture.

    Args:
        root: The folder.
        files: What is known of each file.
        nodes: The node of each: the first folder below `root`, empty for files in it.
        vectors: Descriptors, see `backhaul.look.descriptors`, shape (n, 449).
        unreadable: What is wrong with each image that cannot be read, and was left out.
    """

    root: Path
    files: tuple[ImageFile, ...]
    nodes: tuple[str, ...]
    vectors: Float32Array
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files."""
        return tuple(file.path for file in self.files)

    @property
    def size_bytes(self) -> IntArray:
        """Length of each file, shape (n,)."""
        return np.array([file.size_bytes for file in self.files], dtype=np.int64)

    def of_node(self, node: str) -> Frames:
        """Return the frames of one node."""
        return self.take([row for row, each in enumerate(self.nodes) if each == node])

    def take(self, rows: Sequence[int]) -> Frames:
        """Return the frames at `rows`, in that order."""
        files = tuple(self.files[row] for row in rows)
        nodes = tuple(self.nodes[row] for row in rows)
        return Frames(self.root, files, nodes, self.vectors[list(rows)], self.unreadable)


def read_frames(folder: Path, on_progress: OnProgress) -> Frames:
    """Read all frames below a folder.

    The order of capture is that of folders and names, numbers as numbers, as campaigns have it.

    Args:
        folder: The folder; links are followed, hidden files are not read.
        on_progress: Called with how many images are described, and how many there are.

    Raises:
        InputError: If it is no folder, or has no image that can be read.
    """
    listing = scan(folder)
    listing.require_images()
    start = len(listing.root.as_posix().rstrip("/")) + 1
    paths = sorted(listing.images, key=lambda path: (natural(path[start:]), path))
    found = ImageReader(look=at_header).read(paths)
    files = [each for each in found if isinstance(each, ImageFile)]
    problems = [str(each) for each in found if not isinstance(each, ImageFile)]
    described = _described([file.path for file in files], on_progress)
    whole = [(f, v) for f, v in zip(files, described, strict=True) if not isinstance(v, str)]
    problems += [problem for problem in described if isinstance(problem, str)]
    if not whole:
        raise InputError(f"{folder}: no image of it can be read; the first: {problems[0]}")
    frames = Frames(
        root=listing.root,
        files=tuple(file for file, _ in whole),
        nodes=tuple(_node(file.path[start:]) for file, _ in whole),
        vectors=np.array([vector for _, vector in whole], np.float32).reshape(-1, N_VALUES),
        unreadable=tuple(problems),
    )

    def by_node(row: int) -> tuple[list[str | int], str]:
        return natural(frames.nodes[row]), frames.nodes[row]

    return frames.take(sorted(range(len(frames)), key=by_node))


def _described(paths: Sequence[str], on_progress: OnProgress) -> list[Float32Array | str]:
    """Return the descriptor of each image, or what is wrong with it."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    found: list[Float32Array | str] = []
    with ThreadPoolExecutor() as threads:
        for part in threads.map(lambda chunk: [*map(_describe, chunk)], chunks):
            found += part
            on_progress(len(found), len(paths))
    return found


def _describe(path: str) -> Float32Array | str:
    try:
        vector: Float32Array = describe_files([path])[0]
    except InputError as error:
        return str(error)
    return vector


def _node(below: str) -> str:
    """Return the first folder of a path; empty for a file that lies in none."""
    return below.partition("/")[0] if "/" in below else ""
