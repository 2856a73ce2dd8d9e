"""Images that are broken, or would cost too much, in their smallest form."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from tests.nodes import picture

GOOD = picture(1)


def chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(width: int, height: int, *parts: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(parts) + chunk(b"IEND", b"")


def jpeg_without(marker: bytes) -> bytes:
    """A JPEG that ends as it should, without the segments of a marker."""
    data, out = GOOD, b""
    at = 2
    while data[at : at + 2] != b"\xff\xda":
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        out += b"" if data[at : at + 2] == marker else data[at : at + length]
        at += length
    return data[:2] + out + data[at:]


def many_scans(data: bytes) -> bytes:
    """A JPEG whose last scan is there again and again: it costs minutes to go through."""
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 200 + data[-2:]


def webp(declared: int) -> bytes:
    """A WebP whose canvas is declared to be that wide and high."""
    buffer = io.BytesIO()
    Image.new("RGBA", (16, 12), (9, 9, 9, 9)).save(buffer, "WEBP")
    inner = buffer.getvalue()[12:]
    if inner[:4] == b"VP8X":
        inner = inner[18:]
    side = struct.pack("<I", declared - 1)[:3]
    inner = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + side + side + inner
    return b"RIFF" + struct.pack("<I", 4 + len(inner)) + b"WEBP" + inner


BAD = {
    "a PNG without pixels": png(16, 12),
    "a PNG of no bytes of pixels": png(16, 12, chunk(b"IDAT", b"")),
    "a PNG of too few pixels": png(16, 12, chunk(b"IDAT", zlib.compress(b"\0"))),
    "a PNG that is very wide": png(
        1_048_577, 1, chunk(b"IDAT", zlib.compress(bytes(3 * 1_048_577 + 1)))
    ),
    "a PNG of very many pixels": png(100_000, 100_000, chunk(b"IDAT", b"")),
    "a JPEG of headers": GOOD[: GOOD.index(b"\xff\xda")] + b"\xff\xd9",
    "a JPEG without tables": jpeg_without(b"\xff\xdb"),
    "a lossless JPEG": GOOD.replace(b"\xff\xc0", b"\xff\xc3", 1),
    "a WebP of very many pixels": webp(16_000),
    "a WebP of headers": webp(64)[:30],
    "a JPEG of very many scans": many_scans(picture(1, size=(4000, 4000))),
    "a BMP of headers": picture(1, "BMP")[:54],
    "three bytes": b"\xff\xd8\xff",
}


def suffix_of(name: str) -> str:
    """Return the suffix of one of `BAD`."""
    return {"PNG": ".png", "WebP": ".webp", "BMP": ".bmp"}.get(name.split()[1], ".jpg")
