"""Files of a broken or hostile node: each is set aside with its reason, and stops nobody."""

import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from backhaul.data.decoding import require_decodable
from backhaul.data.images import UnreadableImageError, probe_bytes
from backhaul.inbox import look, sidecar
from tests.nodes import Store, picture

BOX = {"class": "car", "confidence": 0.5, "xyxy": [1, 1, 5, 5]}
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
    "three bytes": b"\xff\xd8\xff",
}
SUFFIXES = {"a PNG": ".png", "a WebP": ".webp"}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_image_is_set_aside_and_the_others_come_in(name: str, folder: Store) -> None:
    suffix = SUFFIXES.get(" ".join(name.split()[:2]), ".jpg")
    folder.drop(f"bad/x{suffix}", BAD[name])
    folder.drop("cam/good.jpg", GOOD)
    first = folder.ingest()
    assert folder.names == ["cam/good.jpg"]
    [problem] = first.problems
    assert f"bad/x{suffix}: warning: unreadable image, looked at again next time" in problem
    folder.drop("cam/more.jpg", picture(2))
    assert folder.ingest().n_unreadable == 1
    assert folder.names == ["cam/good.jpg", "cam/more.jpg"]
    [kept] = [data for file, data in folder.tree().items() if "/unreadable/" in file]
    assert kept == BAD[name]
    assert folder.ingest().problems == ()


def test_whatever_is_accepted_the_decoder_of_trainings_can_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    accepted = 0
    kinds = [picture(3, kind, (40, 30)) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    for number in range(2000):
        data = bytearray(kinds[number % 4])
        for _ in range(rng.integers(1, 4)):
            where = rng.integers(len(data))
            data[where] = rng.integers(256)
            if rng.random() < 0.2:
                del data[where : where + rng.integers(1, 20)]
        content = bytes(data)
        try:
            file = probe_bytes("x", content)
            require_decodable(file, content)
        except UnreadableImageError:
            continue
        accepted += 1
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert sorted(pixels.shape[:2]) == sorted((file.width, file.height))
    assert 100 < accepted < 1900


SIDECARS = {
    "votes without end": json.dumps([{**BOX, "votes": 10**30}]).encode(),
    "votes of many digits": json.dumps([{**BOX, "votes": 7}]).replace("7", "9" * 5000).encode(),
    "too many detections": json.dumps([BOX] * (sidecar.MOST_DETECTIONS + 1)).encode(),
    "too many features": json.dumps({"detections": [], "features": [0.0] * 20_000}).encode(),
    "too many bytes": b"[" + b" " * sidecar.MOST_BYTES + b"]",
    "depth": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "a class": b'{"__class__": "subprocess.Popen", "data": {"args": "true"}}',
}


@pytest.mark.parametrize("name", SIDECARS)
def test_detections_that_are_out_of_bounds_are_left_out(name: str, folder: Store) -> None:
    folder.drop("cam/a.detections.json", SIDECARS[name])
    folder.drop("cam/a.jpg", GOOD)
    folder.drop("cam/b.detections.json", json.dumps([BOX]).encode())
    folder.drop("cam/b.jpg", picture(2))
    [problem] = folder.ingest().problems
    assert "a.detections.json: error: " in problem
    assert len(problem) < 400
    log = folder.log.set_index("name")
    assert log["detections"].isna().to_dict() == {"a.jpg": True, "b.jpg": False}


def test_a_file_of_too_many_bytes_is_not_read(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MOST_BYTES", 2000)
    monkeypatch.setattr(look, "_content", lambda uri: pytest.fail(f"{uri} was read"))
    folder.drop("cam/huge.jpg", GOOD + bytes(2000))
    [problem] = folder.ingest().problems
    assert "expected at most 2,000" in problem
    assert folder.ingest().n_unreadable == 1


@pytest.mark.parametrize("letters", [200, 251])
def test_the_longest_names_are_set_aside_as_well(letters: int, folder: Store) -> None:
    for name in ("x" * letters, "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * (letters // 2)):
        place = Path(folder.root) / "inbox" / "cam"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.jpg").write_bytes(b"broken")
        folder.ingest()
        assert folder.ingest().n_unreadable == 1
    folder.drop("cam/good.jpg", GOOD)
    assert folder.ingest().n_new == 1


def test_a_damaged_list_of_files_that_wait_stops_nobody(folder: Store) -> None:
    folder.drop("cam/good.jpg", GOOD)
    for data in (b"{", b"[1]", b'{"a": 1}', b"\xff"):
        place = Path(folder.root) / "ingested" / "waiting.json"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        folder.drop("bad/x.jpg", b"broken")
        folder.ingest()
    assert folder.names == ["cam/good.jpg"]
