"""Thumbnails as files beside the page that shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backhaul.data.images import OnProgress
from backhaul.report.gallery.content import Shown
from backhaul.report.shrinking import Fetch, read_picture, shrink

SIDE_PX = 320
_CHUNK = 8  # images that a thread takes at once
_OURS = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.jpg")


def place_of(image_id: str) -> str:
    """Return where the thumbnail of an image lies, below the folder of thumbnails.

    Example:
        >>> place_of("00112233445566778899aabbccddeeff")
        '00/00112233445566778899aabbccddeeff.jpg'
    """
    return f"{image_id[:2]}/{image_id}.jpg"


def write_thumbnails(
    folder: Path, images: Sequence[Shown], fetch: Fetch | None, on_progress: OnProgress
) -> frozenset[str]:
    """Write the thumbnails that are not there yet; return the ids of images that have one.

    Thumbnails are named after the content of their images, so that one that is there is right.
    Those of images that are shown no more are removed.

    Args:
        folder: Where they lie.
        images: The images.
        fetch: Reads images in object stores; None = these have no thumbnails.
        on_progress: Called with how many images are done, and how many there are.
    """
    wanted = {place_of(image.image_id) for image in images}
    there = set(_those_in(folder))
    for place in there - wanted:
        (folder / place).unlink()

    def write(chunk: Sequence[Shown]) -> list[str]:
        return [
            image.image_id
            for image in chunk
            if place_of(image.image_id) in there or _write(folder, image, fetch)
        ]

    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    written: list[str] = []
    with ThreadPoolExecutor() as threads:
        for number, done in enumerate(threads.map(write, chunks), start=1):
            written += done
            on_progress(min(number * _CHUNK, len(images)), len(images))
    return frozenset(written)


def _those_in(folder: Path) -> Iterator[str]:
    for path in folder.glob("??/*.jpg"):
        place = f"{path.parent.name}/{path.name}"
        if _OURS.fullmatch(place):
            yield place


def _write(folder: Path, image: Shown, fetch: Fetch | None) -> bool:
    content = read_picture(image.uri, Path.cwd(), fetch)
    small = None if content is None else shrink(content, SIDE_PX)
    if small is None:
        return False
    target = folder / place_of(image.image_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(small.jpeg)
    partial.replace(target)  # a view that was cut short leaves no half of one
    return True
