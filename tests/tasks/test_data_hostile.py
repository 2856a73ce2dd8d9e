"""Images of a data set that no training could read: each is left out with its reason."""

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.cli.commands import app
from backhaul.data.formats import read
from backhaul.data.images import UnreadableImageError, probe
from backhaul.data.limits import ImageLimits
from backhaul.data.room import Room
from backhaul.data.settings import FolderData
from tests.hostile_images import BAD, suffix_of
from tests.nodes import picture


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """A data set with two good images."""
    (tmp_path / "classes.txt").write_text("car\n")
    for number in range(2):
        (tmp_path / f"good{number}.jpg").write_bytes(picture(number))
        (tmp_path / f"good{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    return tmp_path


def add(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    (folder / name).with_suffix(".txt").write_text("0 0.5 0.5 0.5 0.5\n")


@pytest.mark.parametrize("name", BAD)
def test_a_broken_image_is_left_out_and_named(name: str, cars: Path) -> None:
    add(cars, f"bad{suffix_of(name)}", BAD[name])
    report = read(FolderData(root=cars.as_posix()))
    assert [Path(uri).name for uri in report.images.table["uri"]] == ["good0.jpg", "good1.jpg"]
    [problem] = report.problems
    assert str(problem).startswith(f"{cars}/bad{suffix_of(name)}: warning: unreadable image, ")


def test_the_check_says_with_what_it_looked_and_what_is_left_out(cars: Path) -> None:
    for number, name in enumerate(BAD):
        add(cars, f"bad{number}{suffix_of(name)}", BAD[name])
    done = CliRunner().invoke(app, ["data", "check", str(cars)])
    assert done.exit_code == 0
    assert "decoder       OpenCV; as trainings use it" in done.stdout
    assert f"0 errors, {len(BAD)} warnings" in done.stdout


def test_limits_are_settings_of_the_data_set(cars: Path) -> None:
    add(cars, "large.jpg", picture(3, size=(60, 50)))
    add(cars, "long.jpg", picture(4) + bytes(5000))
    limits = ImageLimits(image_pixels=2999, image_bytes=5000)
    report = read(FolderData(root=cars.as_posix(), limits=limits))
    assert len(report.images) == 2
    large, long = map(str, report.problems)
    assert "large.jpg" in large
    assert "declares 60 x 50 pixels, expected at most 2,999" in large
    assert "long.jpg" in long
    assert "expected at most 5,000 (limits.image_bytes)" in long
    assert len(read(FolderData(root=cars.as_posix())).images) == 4


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "zero.jpg"):
        with pytest.raises(UnreadableImageError, match="is no file"):
            probe(f"{tmp_path}/{name}")


def test_many_threads_have_no_more_than_the_room_there_is() -> None:
    room, holding = Room(10), Counter[str]()
    most, lock = [], threading.Lock()

    def work(amount: int) -> None:
        with room.taken(amount):
            with lock:
                holding["all"] += min(amount, 10)
                most.append(holding["all"])
            time.sleep(0.002)
            with lock:
                holding["all"] -= min(amount, 10)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, [3, 4, 50, 1, 9, 10, 2, 5] * 5))
    assert max(most) <= 10
    assert len(most) == 40
