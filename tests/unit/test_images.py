from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from backhaul.data.images import (
    FROM_DISK,
    ImageReader,
    UnreadableImageError,
    is_image,
    probe,
)

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
FORMATS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WEBP"}


def encode(suffix: str, orientation: int | None = None) -> bytes:
    buffer = BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(buffer, FORMATS[suffix], exif=exif)
    return buffer.getvalue()


def shape_in_opencv(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None
    height, width = image.shape[:2]
    return height, width


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [None, 1, 3, 5, 6, 7, 8])
def test_sizes_are_those_of_opencv(
    tmp_path: Path, suffix: str, orientation: int | None
) -> None:
    path = tmp_path / f"a.{suffix}"
    data = encode(suffix, orientation)
    path.write_bytes(data)
    file = probe(path.as_posix())
    assert (file.height, file.width) == shape_in_opencv(path)
    assert file.size_bytes == len(data)
    assert file.image_id == hashlib.sha256(data).hexdigest()[:32]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_images_are_refused_with_the_reason(
    tmp_path: Path, suffix: str, fraction: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    data = encode(suffix)
    path.write_bytes(data[: int(fraction * len(data))])
    with pytest.raises(UnreadableImageError, match=r"a\.\w+: \w+") as caught:
        probe(path.as_posix())
    assert caught.value.path == path.as_posix()
    assert path.exists()


def test_a_jpeg_with_padding_at_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode("jpg") + b"\0" * 7)
    assert (probe(path.as_posix()).width, probe(path.as_posix()).height) == (64, 40)


def test_damaged_exif_data_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    data = encode("jpg", 6)
    start = data.index(b"Exif\0\0") + 6
    path.write_bytes(data[:start] + b"\xaa" * 8 + data[start + 8 :])
    file = probe(path.as_posix())
    assert (file.height, file.width) == shape_in_opencv(path) == (40, 64)


def test_ultralytics_has_no_say_in_what_is_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install_packages(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("pi_heif")

    monkeypatch.setattr(Image, "open", install_packages)
    test_what_is_no_image_is_refused(tmp_path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in [
        ("text.jpg", "no jpg, png, bmp or webp"),
        ("folder.jpg", "directory"),
        ("gone.jpg", "No such file"),
    ]:
        with pytest.raises(UnreadableImageError, match=reason):
            probe(f"{tmp_path.as_posix()}/{name}")


def test_probing_in_parallel_keeps_the_order_and_reports_progress(tmp_path: Path) -> None:
    paths = []
    for number in range(200):
        path = tmp_path / f"{number:03d}.jpg"
        path.write_bytes(b"" if number == 100 else encode("jpg") + bytes([number]))
        paths.append(path.as_posix())
    calls: list[tuple[int, int]] = []
    results = ImageReader(on_progress=lambda done, total: calls.append((done, total))).read(
        paths
    )
    assert [result.path for result in results] == paths
    assert [isinstance(result, UnreadableImageError) for result in results].index(True) == 100
    assert calls == sorted(calls)
    assert calls[-1] == (200, 200)


def test_what_is_said_of_a_refused_image_holds_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode("jpg")[:-20])
    (result,) = FROM_DISK.read([f"{tmp_path.as_posix()}/a.jpg"])
    assert isinstance(result, UnreadableImageError)
    # else its frames would keep the bytes and pixels of all refused images in memory
    assert (result.__traceback__, result.__context__, result.__cause__) == (None, None, None)


def test_no_images_are_no_trouble() -> None:
    assert FROM_DISK.read([]) == []


@pytest.mark.parametrize("name", ["a.JPG", "b.JpEg", "c.png", "d.BMP", "e.webp", "x/y.z.jpg"])
def test_suffixes_count_in_any_case(name: str) -> None:
    assert is_image(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", "a.jpg.txt", "a.gif"])
def test_other_files_are_no_images(name: str) -> None:
    assert not is_image(name)
