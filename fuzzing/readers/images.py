"""Image files, of which trainings can read all that were accepted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from backhaul.data.images import probe
from backhaul.learn.training.workfolder import LEAST_SIDE_PX
from backhaul.look.libraries import isolate_libraries
from fuzzing.mutation import mutate, pick
from fuzzing.reader import Reader
from fuzzing.tree import Tree

Pieces = list[bytes]

REAL = tuple(
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / name
    for name in ("bccd", "parking", "signs")
)
"""Real data sets, where they are."""
_MOST_REAL = 40  # of one kind
_MOST_BYTES = 60_000  # of a real one
_ORIENTATION = 0x0112
_SIDES = (0, 1, 7, 9, 10, 16, 255, 4097, 65_535, 1_048_577, 2**31 - 1, 2**31, 2**32 - 1)
_MARKERS = bytes((0x01, *range(0xC0, 0xD0), *range(0xD0, 0xE3), 0xEE, 0xFE))
_CHUNKS = (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"eXIf", b"iCCP")
_RIFF = (b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"ICCP")
_SUFFIXES = {"jpg": (".jpg", ".jpeg"), "png": (".png",), "webp": (".webp",), "bmp": (".bmp",)}


def _noise(rng: Generator, side: int = 40) -> Image.Image:
    pixels = rng.integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[_ORIENTATION] = orientation
    return tags.tobytes()


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _generated(name: str) -> Iterator[bytes]:
    rng = np.random.default_rng(1)
    one, other = _noise(rng), _noise(rng)
    turned = _exif(6)
    if name == "jpg":
        for options in ({}, {"progressive": True}, {"exif": turned}, {"subsampling": 2}):
            yield _saved(one, "JPEG", quality=60, **options)
        yield _saved(one.convert("L"), "JPEG", restart_marker_blocks=2)
        yield _saved(one.convert("CMYK"), "JPEG")
        yield _saved(one, "MPO", save_all=True, append_images=[other])
    elif name == "png":
        for mode in ("RGB", "L", "LA", "P", "1", "RGBA"):
            yield _saved(one.convert(mode), "PNG")
        yield _saved(Image.fromarray(np.asarray(one)[:, :, 0].astype(np.uint16) * 257), "PNG")
        yield _saved(one, "PNG", exif=turned)
        yield _saved(one, "PNG", save_all=True, append_images=[other])
    elif name == "webp":
        for options in ({}, {"lossless": True}, {"exif": turned}):
            yield _saved(one, "WEBP", **options)
        yield _saved(one.convert("RGBA"), "WEBP", quality=30)
        yield _saved(one, "WEBP", save_all=True, append_images=[other])
    else:
        for mode in ("RGB", "L", "P", "1"):
            yield _saved(one.convert(mode), "BMP")


@cache
def _all_seeds(name: str) -> tuple[bytes, ...]:
    patterns = [f"*{suffix}" for suffix in _SUFFIXES[name]]
    found = sorted(path for folder in REAL for each in patterns for path in folder.rglob(each))
    small = [path for path in found if path.stat().st_size <= _MOST_BYTES]
    step = max(1, len(small) // _MOST_REAL)
    return (*_generated(name), *(path.read_bytes() for path in small[::step]))


def _seed(name: str, rng: Generator) -> Tree:
    _decoders()  # imported here, where no time is taken
    return {f"image.{name}": pick(_all_seeds(name), rng)}


def _jpeg_pieces(data: bytes) -> Pieces:
    """Cut a JPEG before each of its segments; the pixels are one piece."""
    pieces, at = [data[:2]], 2
    while data[at : at + 1] == b"\xff" and data[at : at + 2] != b"\xff\xda":
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        pieces.append(data[at:end])
        at = end
    return [*pieces, data[at:]]


def _change_jpeg(piece: bytes, rng: Generator) -> bytes:
    changed = bytearray(piece)
    if rng.random() < 0.3 and len(changed) > 1:
        changed[1] = pick(_MARKERS, rng)
    elif changed[1:2] and 0xC0 <= changed[1] <= 0xCF and rng.random() < 0.7:
        changed[5:9] = struct.pack(">HH", *(pick(_SIDES, rng) & 0xFFFF for _ in range(2)))
    else:
        _flip(changed, rng)
    return bytes(changed)


def _png_pieces(data: bytes) -> Pieces:
    pieces, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        pieces.append(data[at:end])
        at = end
    return pieces


def _change_png(piece: bytes, rng: Generator) -> bytes:
    """Change a chunk, whose checksum is right again."""
    kind, content = piece[4:8], bytearray(piece[8:-4])
    if rng.random() < 0.1:
        kind = pick(_CHUNKS, rng)
    elif kind == b"IHDR" and rng.random() < 0.5:
        content[:8] = struct.pack(">II", *(pick(_SIDES, rng) for _ in range(2)))
    elif kind == b"IDAT" and rng.random() < 0.5:
        try:
            content = bytearray(zlib.decompress(content))
        except zlib.error:
            return piece
        _flip(content, rng)
        end = len(content) if rng.random() < 0.8 else int(rng.integers(len(content) + 1))
        content = bytearray(zlib.compress(content[:end]))
    else:
        _flip(content, rng)
    body = kind + bytes(content)
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _webp_pieces(data: bytes) -> Pieces:
    pieces, at = [data[:12]], 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        pieces.append(data[at : at + 8 + length + length % 2])
        at += 8 + length + length % 2
    return pieces


def _change_webp(piece: bytes, rng: Generator) -> bytes:
    changed = bytearray(piece)
    if rng.random() < 0.15:
        changed[:4] = pick(_RIFF, rng)
    elif changed[:4] == b"VP8X" and rng.random() < 0.5:
        sides = [struct.pack("<I", pick(_SIDES, rng))[:3] for _ in range(2)]
        changed[12:18] = b"".join(sides)
    else:
        _flip(changed, rng)
    return bytes(changed)


def _bmp_pieces(data: bytes) -> Pieces:
    return [data[:14], data[14:54], data[54:]]


def _change_bmp(piece: bytes, rng: Generator) -> bytes:
    changed = bytearray(piece)
    if len(changed) == 40 and rng.random() < 0.7:
        at, form = pick(((4, "<I"), (8, "<I"), (14, "<H"), (16, "<I"), (32, "<I")), rng)
        most = 2 ** (8 * struct.calcsize(form)) - 1
        struct.pack_into(form, changed, at, pick((*_SIDES, 2, 3, 4, 8, 24, 32), rng) & most)
    else:
        _flip(changed, rng)
    return bytes(changed)


def _flip(data: bytearray, rng: Generator) -> None:
    for _ in range(int(rng.integers(1, 6)) if data else 0):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))


Cut = Callable[[bytes], Pieces]
Change = Callable[[bytes, Generator], bytes]
_FORMS: dict[str, tuple[Cut, Change]] = {
    "jpg": (_jpeg_pieces, _change_jpeg),
    "png": (_png_pieces, _change_png),
    "webp": (_webp_pieces, _change_webp),
    "bmp": (_bmp_pieces, _change_bmp),
}


def _mutate(name: str, tree: Tree, rng: Generator) -> Tree:
    """Change bytes anywhere, or pieces of the file as its format has them."""
    (place, data) = next(iter(tree.items()))
    if rng.random() < 0.3 or not isinstance(data, bytes):
        return mutate(tree, rng)
    cut, change = _FORMS[name]
    pieces = cut(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(pieces)))
        chance = rng.random()
        if chance < 0.6:
            pieces[at] = change(pieces[at], rng)
        elif chance < 0.75:
            pieces[at] = b""
        elif chance < 0.9:
            pieces.insert(int(rng.integers(len(pieces) + 1)), pieces[at])
        else:
            other = cut(pick(_all_seeds(name), rng))
            pieces[at] = pick(other, rng)
    return {place: b"".join(pieces)}


def _read(name: str, folder: Path) -> Iterable[str]:
    path = folder / f"image.{name}"
    file = probe(path.as_posix())
    size = (file.height, file.width)
    for decode in _decoders():
        found = decode(path)
        assert found == size, f"accepted as {size}, and a training reads {found}"
    if min(size) >= LEAST_SIDE_PX:
        _check_as_trainings(path)
    return ()


@cache
def _decoders() -> tuple[Callable[[Path], tuple[int, ...] | None], ...]:
    """Return what reads images in trainings, inference, augmentation and cropping."""
    isolate_libraries()
    from ultralytics.utils.patches import imread  # noqa: PLC0415 - seconds, for these alone

    from backhaul.learn.augmentation.copies import read_rgb  # noqa: PLC0415
    from backhaul.look.letterbox import letterbox, read_pixels  # noqa: PLC0415

    def trained(path: Path) -> tuple[int, ...] | None:
        pixels = imread(str(path))
        return None if pixels is None else pixels.shape[:2]

    def looked_at(path: Path) -> tuple[int, ...]:
        seen = letterbox(read_pixels(str(path)), 32)
        return seen.height, seen.width

    def augmented(path: Path) -> tuple[int, ...]:
        return read_rgb(str(path)).shape[:2]

    return trained, looked_at, augmented


def _check_as_trainings(path: Path) -> None:
    """Do what Ultralytics does before a training, where it leaves images out."""
    from ultralytics.data.utils import check_image  # noqa: PLC0415

    check_image(str(path))


READERS = tuple(
    Reader(f"image-{name}", partial(_seed, name), partial(_read, name), partial(_mutate, name))
    for name in _FORMS
)
