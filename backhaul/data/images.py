"""Properties of an image file: identity, size as displayed, length in bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from backhaul.data.decoding import decode
from backhaul.data.headers import is_turned, open_image, require_complete
from backhaul.data.limits import ImageLimits
from backhaul.data.room import FILE_BYTES, PIXELS
from backhaul.errors import InputError

OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""Suffixes of images, in lower case; files have them in any case."""

DEFAULT_LIMITS = ImageLimits()
_CHUNK = 8  # images a thread takes at once


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A readable image file.

    Args:
        path: Path of the file.
        image_id: First 32 hexadecimal digits of the SHA-256 of its bytes.
        width: Width in pixels as displayed, that is with the EXIF orientation applied.
        height: Height in pixels as displayed.
        size_bytes: Length of the file.
        likeness: What it shows, see `backhaul.data.likeness`; None if it was not decoded.
    """

    path: str
    image_id: str
    width: int
    height: int
    size_bytes: int
    likeness: int | None = None


class UnreadableImageError(InputError):
    """An image file that cannot be read, or that is truncated."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def is_image(name: str) -> bool:
    """Return whether a file with this name is treated as an image.

    Example:
        >>> is_image("a.b/Straße 1.JPEG"), is_image("notes.txt")
        (True, False)
    """
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - a name, no path


def probe(path: str, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFile:
    """Return identity and size of the image at `path`, see `probe_bytes`.

    Raises:
        UnreadableImageError: If the file is missing, not a file, or its image cannot be used.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would have us wait
        with os.fdopen(opened, "rb") as file:
            size_bytes = _size_of_file(path, os.fstat(opened))
            require_few_bytes(path, size_bytes, limits)
            with FILE_BYTES.taken(size_bytes):
                return probe_bytes(path, file.read(size_bytes), limits)
    except (UnreadableImageError, MemoryError):
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):  # this machine's
            raise
        raise UnreadableImageError(path, _reason(error)) from None
    except Exception as error:  # also of a name that no file can have
        raise UnreadableImageError(path, _reason(error)) from None


def _size_of_file(path: str, status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError(path, "is no file")
    return status.st_size


def require_few_bytes(path: str, size_bytes: int, limits: ImageLimits) -> None:
    """Do nothing if an image file may be read.

    Raises:
        UnreadableImageError: If it has too many bytes.
    """
    if size_bytes > limits.image_bytes:
        reason = (
            f"has {size_bytes:,} bytes, expected at most {limits.image_bytes:,} "
            "(limits.image_bytes)"
        )
        raise UnreadableImageError(path, reason)


def probe_bytes(path: str, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFile:
    """Return identity and size of the image with the content `data`; `path` is its name.

    Its pixels are decoded with the decoder of trainings, see `backhaul.data.decoding`.

    Raises:
        UnreadableImageError: If it is no image, truncated, over a limit, or cannot be decoded.
    """
    try:
        with open_image(data, limits.image_pixels) as image:
            width, height = image.size[::-1] if is_turned(image) else image.size
            with PIXELS.taken(width * height):
                require_complete(image, data)
                seen = decode(data, (width, height))
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise UnreadableImageError(path, _reason(error)) from None
    image_id = hashlib.sha256(data).hexdigest()[:32]
    return ImageFile(path, image_id, seen.width, seen.height, len(data), seen.likeness)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | SyntaxError | ValueError | EOFError) and str(error):
        return str(getattr(error, "strerror", None) or error)
    return f"is broken ({type(error).__name__})"


Prober: TypeAlias = Callable[[str, ImageLimits], ImageFile]
"""What `probe` is: from a path to what is known of the image, or an `UnreadableImageError`."""


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads what is known of many images, in threads.

    Args:
        probe: Reads one; another than `probe` for images that are not on this disk.
        at_once: Threads that read; None = as many as the machine has use for.
        on_progress: Called with how many images are read, and how many there are.
        limits: How large they may be.
        within: The folder that no path in a data set may lead out of; None = it may name files
            anywhere on this machine, as its user can.
    """

    probe: Prober = probe
    at_once: int | None = None
    on_progress: OnProgress | None = None
    limits: ImageLimits = DEFAULT_LIMITS
    within: str | None = None

    def may_read(self, path: str) -> bool:
        """Return whether a path without ``..`` leads to where the data set may read."""
        return self.within is None or f"{path}/".startswith(f"{self.within}/")

    def read(self, paths: Sequence[str]) -> list[ImageFile | UnreadableImageError]:
        """Return identity and size of each image, in the order of `paths`."""
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        results: list[ImageFile | UnreadableImageError] = []

        def probe_chunk(chunk: Sequence[str]) -> list[ImageFile | UnreadableImageError]:
            return [self._probe_or_error(path) for path in chunk]

        with ThreadPoolExecutor(self.at_once) as threads:
            for chunk in threads.map(probe_chunk, chunks):
                results += chunk
                if self.on_progress is not None:
                    self.on_progress(len(results), len(paths))
        return results

    def _probe_or_error(self, path: str) -> ImageFile | UnreadableImageError:
        try:
            return self.probe(path, self.limits)
        except UnreadableImageError as error:
            return error


FROM_DISK = ImageReader()
"""Reads images of this disk, and says nothing of it."""
