"""`backhaul data convert`: what it writes, what it says, and what it leaves alone."""

import hashlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from backhaul.cli import main
from backhaul.cli.commands import app
from backhaul.data.formats import FORMATS, detect, read
from backhaul.data.formats.files import scan
from backhaul.data.settings import FolderData
from backhaul.values.images import ImageSet

CLOSE = 1e-8  # of an image: BCCD has whole pixels, which every format keeps


@dataclass(frozen=True)
class Ended:
    code: object
    out: str
    err: str


Convert = Callable[..., Ended]


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Convert:
    """Runs the command in this process, as its script does."""

    def call(*arguments: object) -> Ended:
        command = ["backhaul", "data", "convert", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Ended(ended.value.code, shown.out, shown.err)

    return call


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """A YOLO folder: two boxes, one box, no objects, and an unlabelled image."""
    folder = tmp_path / "cars"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    texts = {
        "a": "0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.5 0.5\n",
        "b": "1 0.3 0.6 0.1 0.123\n",
        "c": "",
    }
    for seed, name in enumerate("abcd"):
        pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{name}.jpg")
        if name in texts:
            (folder / "labels" / f"{name}.txt").write_text(texts[name])
    (folder / "data.yaml").write_text("names: [fire engine, bus]\n")
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def labels_of(folder: Path) -> ImageSet:
    report = read(FolderData(root=folder))
    assert report.errors == ()
    return report.images


def assert_same(images: ImageSet, others: ImageSet, atol: float = 1e-7) -> None:
    found = others.table.set_index("image_id")["labels"]
    assert set(found.index) == set(images.ids)
    for image_id, labels in zip(images.ids, images.table["labels"], strict=True):
        if labels is None:
            assert found[image_id] is None
        else:
            np.testing.assert_allclose(found[image_id].rows(), labels.rows(), rtol=0, atol=atol)


def test_help_has_an_example() -> None:
    shown = CliRunner().invoke(app, ["data", "convert", "--help"])
    assert shown.exit_code == 0
    assert "backhaul data convert ~/cars" in shown.output.split("Example")[1]


def test_the_installed_command_converts(cars: Path, tmp_path: Path) -> None:
    command = str(Path(sysconfig.get_path("scripts")) / "backhaul")
    arguments = [command, "data", "convert", "cars", "new/coco", "--to", "coco"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout == (
        "new/coco: wrote 4 images (1 without objects, 1 unlabelled) and 3 boxes of 2 classes "
        "as coco\n"
    )
    assert_same(labels_of(cars), labels_of(tmp_path / "new" / "coco"))


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_can_be_written_and_the_source_stays(
    to: str, cars: Path, tmp_path: Path, convert: Convert
) -> None:
    before = tree(cars)
    (tmp_path / "there").mkdir()
    ended = convert(cars, tmp_path / "there", "--to", to)
    assert ended.code == 0, ended.err
    assert ended.out.endswith(f"as {to}\n")
    assert tree(cars) == before
    assert detect(scan(tmp_path / "there")) == to
    assert not [path for path in (tmp_path / "there").iterdir() if path.name.startswith(".")]
    assert_same(labels_of(cars), labels_of(tmp_path / "there"))
    for path in (tmp_path / "there").rglob("*.jpg"):
        assert path.stat().st_nlink == 1
    loss = "warning: class 'fire engine' is written as 'fire_engine'"
    assert (loss in ended.err) == (to == "kitti")


def test_links_take_no_space(cars: Path, tmp_path: Path, convert: Convert) -> None:
    assert convert(cars, tmp_path / "there", "--to", "csv", "--link").code == 0
    for name in "abcd":
        link = tmp_path / "there" / "images" / f"{name}.jpg"
        assert link.samefile(cars / "images" / f"{name}.jpg")


def test_a_failed_link_says_what_to_do_and_leaves_nothing(
    cars: Path, tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    ended = convert(cars, tmp_path / "there", "--to", "yolo", "--link")
    assert ended.code == 2
    assert "(Invalid cross-device link); copy the images (--copy)" in ended.err
    assert list((tmp_path / "there").iterdir()) == []
    assert convert(cars, tmp_path / "there", "--to", "yolo", "--copy").code == 0


def test_a_full_disk_ends_with_one_line_and_leaves_nothing(
    cars: Path, tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: Path) -> None:
        target.write_bytes(b"half of it")
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("shutil.copyfile", refuse)
    ended = convert(cars, tmp_path / "there", "--to", "yolo")
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert list((tmp_path / "there").iterdir()) == []


def test_wrong_labels_are_all_named_and_nothing_is_written(
    cars: Path, tmp_path: Path, convert: Convert
) -> None:
    wrong = "".join(f"{class_id} 0.5 0.5 0.1 0.1\n" for class_id in range(2, 14))
    (cars / "labels" / "a.txt").write_text(wrong)
    (cars / "labels" / "b.txt").write_text("0 0.5 0.5 0 0.1\n")
    ended = convert(cars, tmp_path / "there", "--to", "voc")
    assert (ended.code, ended.out) == (2, "")
    for line in range(1, 13):
        reason = f"class {line + 1} is out of range 0..1"
        assert f"{cars}/labels/a.txt:{line}: error: {reason}\n" in ended.err
    assert f"{cars}/labels/b.txt:1: warning: box without area, left out\n" in ended.err
    last = ended.err.splitlines()[-1]
    assert last == f"error: {cars}: 12 errors, named above; nothing written"
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nosuch", "new", "--to", "coco"), "error: nosuch: no folder there"),
        (("cars", "full", "--to", "coco"), "error: full: expected a new or empty folder"),
        (("cars", "cars", "--to", "coco"), "error: cars: expected a new or empty folder"),
        (("cars", "cars/new", "--to", "coco"), "error: cars/new: lies in cars; expected a"),
        (("cars", "a-file", "--to", "coco"), "error: a-file: Not a directory; expected a new"),
        (("cars", "a-file/b", "--to", "coco"), "error: a-file/b: Not a directory; expected a"),
        (
            ("cars", "new", "--to", "coco", "--from", "kitti"),
            "error: {cars}: no class name amo",
        ),
        (
            ("cars", "new", "--to", "coco", "--names", "no.txt"),
            "error: no.txt: No such file or",
        ),
        (
            ("cars", "new", "--to", "kitti", "--names", "dc.txt"),
            "error: class 'DontCare': KITTI",
        ),
        (("full", "new", "--to", "coco"), "full: no labels found among 0 images"),
        (("cars", "new", "--to", "tfrecord"), "'tfrecord' is not one of"),
        (("cars", "new"), "Missing option '--to'"),
    ],
)
def test_wrong_input_is_refused_and_nothing_changes(
    cars: Path,
    convert: Convert,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    home = cars.parent
    monkeypatch.chdir(home)
    (home / "full").mkdir()
    (home / "full" / "mine.doc").write_text("keep me")
    (home / "a-file").write_text("keep me")
    (home / "dc.txt").write_text("DontCare\nbus\n")
    before = tree(home)
    ended = convert(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert reason.format(cars=cars) in ended.err
    assert tree(home) == before


def test_a_kitti_folder_becomes_yolo(tmp_path: Path, convert: Convert) -> None:
    """As the benchmark is laid out, with objects, regions nobody labelled, and no objects."""
    known = "Car 0.00 0 1.55 32.00 12.00 48.00 36.00 1.57 1.73 4.15 1.00 1.75 13.22 1.62\n"
    unknown = "DontCare -1 -1 -10 5.00 5.00 8.00 8.00 -1 -1 -1 -1000 -1000 -1000 -10\n"
    for seed, text in enumerate((known + unknown, unknown)):
        pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        for folder in ("image_2", "label_2"):
            (tmp_path / "training" / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "training" / "image_2" / f"00000{seed}.png")
        (tmp_path / "training" / "label_2" / f"00000{seed}.txt").write_text(text)
    ended = convert(tmp_path / "training", tmp_path / "yolo", "--to", "yolo")
    assert ended.code == 0
    assert "training: warning: 2 DontCare regions in 2 files left out" in ended.err
    texts = [(tmp_path / "yolo" / "labels" / f"00000{seed}.txt").read_text() for seed in (0, 1)]
    assert texts == ["0 0.625 0.5 0.25 0.5\n", ""]


def test_bccd_goes_through_all_formats_and_back(
    bccd: Path, tmp_path: Path, convert: Convert
) -> None:
    source = bccd
    for step, to in enumerate(["yolo", "coco", "kitti", "csv", "voc", "kitti", "yolo", "voc"]):
        target = tmp_path / f"{step}-{to}"
        ended = convert(source, target, "--to", to, "--link")
        assert ended.code == 0, ended.err
        assert ended.out.endswith(
            "wrote 364 images (0 without objects, 0 unlabelled) and 4886 boxes of 3 classes "
            f"as {to}\n"
        )
        # Two points of the original are no boxes; from then on there is nothing to say.
        assert ended.err.count("box without area, left out") == (2 if step == 0 else 0)
        source = target
    first, last = labels_of(bccd), labels_of(source)
    assert last.class_names == first.class_names == ("Platelets", "RBC", "WBC")
    assert_same(first, last, CLOSE)
