"""The wheel with its core alone, as a node or a person with a data set would install it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.index
ROOT = Path(__file__).resolve().parents[2]
ON_A_POOL = """
import sys
import numpy as np
from backhaul.sampling import MedianBelowThreshSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FusedDetections
from backhaul.values.offers import Offers, Pool

names, spread = np.array(["a", "b", "c"]), np.zeros(3)
seen = FusedDetections(
    image_id=names, class_id=np.zeros(3, int), confidence=np.array([0.2, 0.5, 0.9]),
    xyxy=np.tile([0.0, 0.0, 9.0, 9.0], (3, 1)), confidence_std=spread, votes=np.ones(3, int),
    box_spread=spread,
)
pool = Pool(Offers.originals(names.tolist(), np.full(3, 10)), seen)
method = MedianBelowThreshSampling()
chosen = method.select(pool, Bandwidth(images=1), rng=np.random.default_rng(0))
assert "pandas" not in sys.modules
print(*chosen.image_id)
"""


@dataclass(frozen=True)
class Core:
    """A virtual environment with nothing but the core."""

    bin: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in a folder that is no checkout."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    """The wheel, built from the checkout and installed without any extra."""
    folder = tmp_path_factory.mktemp("core")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder / "wheels"), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = (folder / "wheels").glob("backhaul-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    install = ["-m", "pip", "install", "--quiet", "-c", str(constraints), str(wheel)]
    subprocess.run([str(python), *install], check=True)
    (folder / "work").mkdir()
    return Core(python.parent, folder / "work")


def test_the_core_brings_no_library_of_an_extra(core: Core) -> None:
    listed = core.run("python", "-m", "pip", "list", "--format", "freeze").stdout.lower()
    names = {line.partition("==")[0] for line in listed.splitlines()}
    extras = {"prefect", "torch", "ultralytics", "pyarrow", "plotly", "scikit-learn", "s3fs"}
    assert not extras & names


@pytest.mark.parametrize("command", [["backhaul"], ["python", "-m", "backhaul"]])
def test_help_lists_all_commands(core: Core, command: list[str]) -> None:
    done = core.run(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert {"run", "methods", "data", "analyze"} <= set(done.stdout.split())


def test_methods_are_listed(core: Core) -> None:
    done = core.run("backhaul", "methods")
    assert done.returncode == 0, done.stderr
    assert "median-below-thresh" in done.stdout


def test_a_data_set_is_checked_and_it_is_said_with_which_decoder(core: Core) -> None:
    for kind in ("images", "labels"):
        (core.folder / "cars" / kind).mkdir(parents=True)
    Image.new("RGB", (64, 48), "grey").save(core.folder / "cars" / "images" / "a.jpg")
    (core.folder / "cars" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (core.folder / "cars" / "classes.txt").write_text("car\n")
    done = core.run("backhaul", "data", "check", "cars")
    assert done.returncode == 0, done.stderr
    assert "boxes         1" in done.stdout
    (decoder,) = [line for line in done.stdout.splitlines() if line.startswith("decoder")]
    assert "not used: OpenCV is not installed" in decoder


def test_a_command_of_an_extra_says_which(core: Core) -> None:
    done = core.run("backhaul", "store", "prune", "--store", str(core.folder))
    assert done.returncode == 2
    assert "the extra train" in done.stderr
    assert "Traceback" not in done.stderr


def test_images_are_chosen_by_predictions(core: Core) -> None:
    (core.folder / "frames").mkdir()
    (core.folder / "labels").mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (64, 48), colour).save(core.folder / "frames" / f"{number}.jpg")
        line = f"0 0.5 0.5 0.2 0.2 0.{number + 3}\n"
        (core.folder / "labels" / f"{number}.txt").write_text(line)
    for method in ("diverse", "confidence"):
        given = ["labels", "--images", "frames", "--count", "1", "--method", method]
        done = core.run("backhaul", "select", *given)
        assert done.returncode == 0, done.stderr
        assert f"{method}: 1 of 3 images" in done.stdout


def test_a_method_chooses_from_a_pool(core: Core) -> None:
    done = core.run("python", "-c", ON_A_POOL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["a"]
