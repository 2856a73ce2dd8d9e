"""Properties of an image file: identity, size as displayed, length in bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from PIL.ImageFile import ImageFile as PillowImage

from backhaul.data.decoding import Decoded, decode
from backhaul.data.headers import is_turned, open_image, require_complete
from backhaul.data.limits import ImageLimits
from backhaul.data.memory import Memory, Seen, Version, version_on_disk
from backhaul.data.room import FILE_BYTES, PIXELS
from backhaul.errors import InputError

OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""Suffixes of images, in lower case; files have them in any case."""

OTHER_IMAGE_SUFFIXES = frozenset(
    {".tif", ".tiff", ".gif", ".heic", ".heif", ".avif", ".jfif", ".jpe", ".jp2", ".jxl"}
    | {".ppm", ".pgm", ".dng", ".cr2", ".nef", ".arw"}
)
"""Suffixes of images that are not read; a data set with such files is told of it."""

DEFAULT_LIMITS = ImageLimits()
_CHUNK = 8  # images a thread takes at once
_REMEMBERED_AT_ONCE = 1_000


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


class Looked(NamedTuple):
    """What was found out of an image: its size as displayed, and `likeness_hash` or None."""

    width: int
    height: int
    likeness: int | None


Look: TypeAlias = Callable[[PillowImage, bytes, str, tuple[int, int]], Looked]
"""Looks at an image with a content, an id, and a declared width and height as displayed."""


def at_header(
    image: PillowImage, data: bytes, image_id: str, declared: tuple[int, int]
) -> Looked:
    """Believe what the header declares."""
    return Looked(*declared, None)


def at_pixels(
    image: PillowImage, data: bytes, image_id: str, declared: tuple[int, int]
) -> Looked:
    """Decode all pixels, with the decoder of trainings.

    Raises:
        Exception: Any that a decoder has for a broken file.
    """
    with PIXELS.taken(declared[0] * declared[1]):
        require_complete(image, data)
        return Looked(*decode(data, declared))


def probe(path: str, limits: ImageLimits = DEFAULT_LIMITS, look: Look = at_pixels) -> ImageFile:
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
                return probe_bytes(path, file.read(size_bytes), limits, look)
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


def probe_bytes(
    path: str, data: bytes, limits: ImageLimits = DEFAULT_LIMITS, look: Look = at_pixels
) -> ImageFile:
    """Return identity and size of the image with the content `data`; `path` is its name.

    Args:
        path: Name of the image.
        data: Its content.
        limits: How large it may be.
        look: Looks at it.

    Raises:
        UnreadableImageError: If it is no image, truncated, over a limit, or cannot be decoded.
    """
    try:
        with open_image(data, limits.image_pixels) as image:
            size = image.size[::-1] if is_turned(image) else image.size
            image_id = hashlib.sha256(data).hexdigest()[:32]
            looked = look(image, data, image_id, size)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        raise UnreadableImageError(path, _reason(error)) from None
    return ImageFile(path, image_id, looked.width, looked.height, len(data), looked.likeness)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | SyntaxError | ValueError | EOFError) and str(error):
        return str(getattr(error, "strerror", None) or error)
    return f"is broken ({type(error).__name__})"


Prober: TypeAlias = Callable[[str, ImageLimits, Look], ImageFile]
"""What `probe` is: from a path to what is known of the image, or an `UnreadableImageError`."""

Result: TypeAlias = ImageFile | UnreadableImageError


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
        look: How an image is looked at.
        memory: What was seen in images before, which need no second look; None = all do.
        version: Tells versions of files apart; another for images that are not on this disk.
    """

    probe: Prober = probe
    at_once: int | None = None
    on_progress: OnProgress | None = None
    limits: ImageLimits = DEFAULT_LIMITS
    within: str | None = None
    look: Look = at_pixels
    memory: Memory | None = None
    version: Callable[[str], Version | None] = version_on_disk

    def may_read(self, path: str) -> bool:
        """Return whether a path without ``..`` leads to where the data set may read."""
        return self.within is None or f"{path}/".startswith(f"{self.within}/")

    def read(self, paths: Sequence[str]) -> list[Result]:
        """Return identity and size of each image, in the order of `paths`."""
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        results: list[Result] = []
        new: list[tuple[Version, Seen]] = []
        with ThreadPoolExecutor(self.at_once) as threads:
            try:
                for found, seen in threads.map(self._read_chunk, chunks):
                    results += found
                    new += seen
                    if self.on_progress is not None:
                        self.on_progress(len(results), len(paths))
                    if len(new) > _REMEMBERED_AT_ONCE:
                        self._remember(new)
            finally:  # whoever interrupts it need not wait for these again
                self._remember(new)
        return results

    def _read_chunk(
        self, chunk: Sequence[str]
    ) -> tuple[list[Result], list[tuple[Version, Seen]]]:
        """Return what is known of some images, and what there is to be remembered."""
        if self.memory is None:
            return [self._probe_or_error(path) for path in chunk], []
        versions = [self.version(path) for path in chunk]
        results: list[Result] = []
        new = []
        for path, version, seen in zip(
            chunk, versions, self.memory.of_files(versions), strict=True
        ):
            known = version and seen and self._known(path, version, seen)
            result = known or self._probe_or_error(path)
            results.append(result)
            if known or version is None or not isinstance(result, ImageFile):
                continue
            if result.likeness is not None and self.version(path) == version:
                decoded = Decoded(result.width, result.height, result.likeness)
                new.append((version, Seen(result.image_id, decoded)))
        return results, new

    def _known(self, path: str, version: Version, seen: Seen) -> ImageFile | None:
        """Return a remembered image, None if it is over a limit: probing it says so."""
        width, height, likeness = seen.decoded
        if (
            version.size_bytes > self.limits.image_bytes
            or width * height > self.limits.image_pixels
        ):
            return None
        return ImageFile(path, seen.image_id, width, height, version.size_bytes, likeness)

    def _remember(self, new: list[tuple[Version, Seen]]) -> None:
        if self.memory is not None and new:
            self.memory.add(new)
            new.clear()

    def _probe_or_error(self, path: str) -> Result:
        try:
            return self.probe(path, self.limits, self._look_once)
        except UnreadableImageError as error:
            return error

    def _look_once(
        self, image: PillowImage, data: bytes, image_id: str, declared: tuple[int, int]
    ) -> Looked:
        known = None if self.memory is None else self.memory.of_image(image_id)
        return self.look(image, data, image_id, declared) if known is None else Looked(*known)


FROM_DISK = ImageReader()
"""Reads images of this disk, and says nothing of it."""
