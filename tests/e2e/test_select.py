"""`backhaul select` on real photographs, with predictions made of their labels."""

import csv
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import backhaul
from tests.predicted import SIDE_PX, Predicted, write_coco, write_frames, write_texts

ROOT = Path(__file__).resolve().parents[2]
N_IMAGES = 40
CORE_ALONE = """
import sys
from backhaul.cli.extras import EXTRAS

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {module for each in EXTRAS.values() for module in each}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
"""Lets no library be imported that comes with an extra."""


def run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    code = f"{before}\nfrom backhaul.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, "select", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


@pytest.fixture(scope="module")
def cells(bccd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs, and two checkpoints' predictions: jittered truth."""
    folder = tmp_path_factory.mktemp("cells")
    (folder / "frames").mkdir()
    rng = np.random.default_rng(2)
    names = ("RBC", "WBC", "Platelets")
    images = []
    results: tuple[list[dict[str, object]], ...] = ([], [])
    for number, path in enumerate(sorted((bccd / "JPEGImages").iterdir())[:N_IMAGES]):
        (folder / "frames" / path.name).symlink_to(path)
        images.append({"id": 1000 + number, "file_name": path.name})
        label = ET.parse(bccd / "Annotations" / f"{path.stem}.xml")  # noqa: S314 - of a test
        for thing in label.iter("object"):
            sides = [float(thing.findtext(f"bndbox/{k}", "")) for k in ("xmin", "ymin")]
            ends = [float(thing.findtext(f"bndbox/{k}", "")) for k in ("xmax", "ymax")]
            for found in results:
                if rng.random() < 0.8:
                    x1, y1, x2, y2 = np.array(sides + ends) + rng.normal(0, 2, 4)
                    found.append(
                        {
                            "image_id": 1000 + number,
                            "category_id": names.index(thing.findtext("name", "")),
                            "bbox": [x1, y1, max(x2 - x1, 1), max(y2 - y1, 1)],
                            "score": rng.beta(3, 2),
                        }
                    )
    (folder / "images.json").write_text(json.dumps({"images": images}))
    for name, found in zip(("a", "b"), results, strict=True):
        (folder / f"{name}.json").write_text(json.dumps(found))
    return folder


def test_a_byte_budget_of_photographs(cells: Path) -> None:
    given = (cells / "a.json", cells / "b.json", "--coco", cells / "images.json")
    done = run(
        *given, "--images", cells / "frames", "--method", "diverse", "--bytes", 200_000,
        "--set", "utility=vote-entropy", "--out", cells / "first.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (cells / "first.csv").open() as file:
        rows = list(csv.DictReader(file))
    sizes = [(cells / "frames" / row["file"]).stat().st_size for row in rows]
    assert [int(row["size_bytes"]) for row in rows] == sizes
    assert 5 <= len(rows) <= 15
    assert sum(sizes) <= 200_000
    assert all(row["reason"] for row in rows)
    assert f"diverse: {len(rows)} of 40 images, {sum(sizes):,} of" in done.stdout
    for row in rows[:3]:
        assert f"{int(row['size_bytes']):,}" in done.stdout

    second = run(
        *given, "--images", cells / "frames", "--count", 3, "--plain",
        "--sent-before", cells / "first.csv",
    )  # fmt: skip
    assert second.returncode == 0, second.stderr
    chosen = [line.split("\t")[1] for line in second.stdout.splitlines()[1:]]
    assert len(chosen) == 3
    assert not {*chosen} & {row["file"] for row in rows}


def test_python_chooses_the_same(cells: Path) -> None:
    done = run(
        cells / "a.json", "--images", cells / "frames", "--coco", cells / "images.json",
        "--method", "iqr", "--count", 5, "--seed", 3, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    given = backhaul.Predictions([cells / "a.json"], coco=cells / "images.json")
    chosen = backhaul.select(given, cells / "frames", method="iqr", count=5, seed=3)
    assert [row["file"] for row in told["selection"]] == chosen.table["file"].tolist()
    assert told["chosen"]["bytes"] == chosen.n_bytes
    assert told["pool"]["images"] == N_IMAGES


def test_ids_without_the_coco_file_are_not_guessed(cells: Path) -> None:
    done = run(cells / "a.json", "--images", cells / "frames", "--count", 5)
    assert done.returncode == 2
    (line,) = filter(None, done.stderr.splitlines())
    assert line.startswith(f"error: {cells}/a.json: none of its images is in ")
    assert "(--coco)" in done.stderr


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Six images, and the predictions in five of them, as texts and as COCO results."""
    seen = {f"{i}": [Predicted(i % 2, 0.3 + i / 10, (4, 4, 30, SIDE_PX))] for i in range(5)}
    write_frames(tmp_path / "frames", [f"{i}" for i in range(6)])
    write_texts(tmp_path / "labels", seen)
    write_coco(tmp_path / "results.json", seen)
    return tmp_path


@pytest.mark.parametrize("given", ["labels", "results.json"])
def test_the_core_is_enough(small: Path, given: str) -> None:
    done = run(small / given, "--images", small / "frames", "--count", 3, before=CORE_ALONE)
    assert done.returncode == 0, done.stderr
    assert "diverse: 3 of 6 images (at most 3), " in done.stdout


def test_a_parquet_table_without_pyarrow_says_what_to_install(small: Path) -> None:
    (small / "p.parquet").write_bytes(b"PAR1")
    done = run(
        small / "p.parquet", "--images", small / "frames", "--count", 3, before=CORE_ALONE
    )
    assert done.returncode == 2
    assert "the extra train: pip install 'backhaul[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_images_are_copied_and_shown_with_their_boxes(small: Path) -> None:
    done = run(
        small / "labels", "--images", small / "frames", "--method", "confidence", "--count", 2,
        "--copy-to", small / "copies", "--view", small / "page", "--out", small / "list.txt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    copies = sorted(path.name for path in (small / "copies").iterdir())
    assert copies == ["3.png", "4.png"]
    chosen = [f"{small}/frames/{name}" for name in ("4.png", "3.png")]
    assert (small / "list.txt").read_text().splitlines() == chosen
    page = (small / "page" / "index.html").read_text()
    assert "2 images with 2 objects of 2 classes" in page
    assert "confidence 0.7" in page
    assert len(list((small / "page" / "thumbnails").glob("??/*.jpg"))) == 2


WRONG: tuple[tuple[Sequence[str], str], ...] = (
    ((), "expected the bandwidth: bytes, count, or both"),
    (("--count", "1", "--method", "iqrr"), "method: 'iqrr' is none of random"),
    (("--count", "1", "--method", "entropy"), "entropy: needs scores"),
    (("--count", "1", "--set", "utility"), "--set utility: expected KEY=VALUE"),
    (("--count", "1", "--out", "FRAMES/x.csv"), "expected a file outside of it (--out)"),
    (("--count", "1", "--out", "x.xls"), "expected a name that ends in .csv, .json, .txt"),
    (("--count", "1", "--copy-to", "FRAMES"), "expected a new or empty folder"),
    (("--count", "1", "--view", "FRAMES/v"), "which nothing is written into"),
    (("--count", "1", "--sent-before", "gone.txt"), "gone.txt: No such file"),
    (("--count", "1", "--conf-thres", "2"), "conf_thres: expected a number from 0 to 1"),
)


@pytest.mark.parametrize(("arguments", "reason"), WRONG)
def test_what_is_wrong_ends_with_a_line(
    small: Path, arguments: Sequence[str], reason: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from backhaul.cli import main

    folder = str(small / "frames")
    given = [argument.replace("FRAMES", folder) for argument in arguments]
    whole = ["backhaul", "select", str(small / "labels"), "--images", folder, *given]
    monkeypatch.setattr(sys, "argv", whole)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert reason in err.replace("\n", " ")
    assert len(list((small / "frames").iterdir())) == 6
