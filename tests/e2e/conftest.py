"""Campaigns so small that a test can wait for them; the first one is shared by many tests."""

import copy
import json
import os
import re
import subprocess
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from backhaul.layout import RunFiles, run_at

COMMAND = str(Path(sysconfig.get_path("scripts")) / "backhaul")
PATIENCE_S = 400  # on a machine that others use as well

TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 1,
    "parallel": 3,
    "data": {"kind": "digits", "images": 60, "size_px": 64},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 12, "count": 2, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 5},
    "methods": ["iqr", "true-random"],
    "augmentation": {"images_per_class": 6, "flip": "none"},
    "training": {
        "max_epochs": 3,
        "retrain_max_epochs": 1,
        "img_size": 64,
        "batch_size": 8,
        "threads": 1,
        "device": "cpu",
        "warmup_epochs": 0,
    },
    "inference": {"conf_check_num": 2, "conf_thres": 0.001},  # it has hardly learned anything
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def one_error(self) -> str:
        """What is wrong with the input, said once and without a traceback."""
        assert self.code == 2, self.err
        assert "Traceback" not in self.err
        _, reason = re.split("^error: ", self.err, flags=re.MULTILINE)
        return reason


@dataclass(frozen=True)
class Run:
    """What a campaign left in its folder, and in its records."""

    folder: Path

    @property
    def files(self) -> RunFiles:
        files = run_at(str(self.folder))
        assert files is not None
        return files

    @property
    def records(self) -> Path:
        return Path(self.files.records)

    @property
    def json(self) -> Any:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def summary(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "summary.csv")

    def listed(self, name: str) -> list[str]:
        """The names of the images in a list of `output/`."""
        lines = (self.folder / "output" / name).read_text().splitlines()
        return [Path(line).name for line in lines]

    def round(self, prefix: str) -> Any:
        return json.loads((self.records / "rounds" / f"{prefix}.json").read_text())

    def checkpoint_digests(self, prefix: str) -> list[str]:
        checkpoints = self.round(prefix)["training"]["checkpoints"]
        return [checkpoint["artifact"]["content"] for checkpoint in checkpoints]

    def computed(self, *methods: str | None) -> set[str]:
        """The stages that did not come from the cache, of these methods or of all."""
        return {
            timing["stage"]
            for timing in self.json["timings"]
            if not timing["cached"] and (not methods or timing["method"] in methods)
        }


@dataclass(frozen=True)
class Place:
    """A folder in which a person works: configs, their code, and the store.

    Args:
        folder: The folder.
        server: Prefect server to use; None = as without any.
    """

    folder: Path
    server: str | None = None

    def without_server(self) -> "Place":
        return Place(self.folder)

    def config(self, name: str, **changes: object) -> Path:
        """Write `TINY` under another name; a value for ``a__b`` replaces that of ``a.b``."""
        config = {**copy.deepcopy(TINY), "name": name}
        for key, value in changes.items():
            *parents, last = key.split("__")
            part = config
            for parent in parents:
                part = part[parent]
            part[last] = value
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def environment(self, hash_seed: str = "0") -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        mine |= {"PYTHONHASHSEED": hash_seed, "COLUMNS": "200"}
        return mine if self.server is None else mine | {"PREFECT_API_URL": self.server}

    def backhaul(
        self, *arguments: str | Path, hash_seed: str = "0", patience_s: float = PATIENCE_S
    ) -> Ended:
        """Run the command here."""
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(hash_seed),
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start the command here, in a process group of its own; what it says goes to `log`."""
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [COMMAND, *map(str, arguments)],
                cwd=self.folder,
                env=self.environment() | {"TMPDIR": str(self.folder)},  # what a kill leaves
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, name: str) -> Run:
        return Run(self.folder / "runs" / name)


@pytest.fixture(scope="session")
def new_place(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> Callable[[str], Place]:
    """Makes places that use the server of the tests, which spares the start of one."""
    from prefect.settings import PREFECT_API_URL

    return lambda name: Place(tmp_path_factory.mktemp(name), PREFECT_API_URL.value())


@dataclass(frozen=True)
class Played:
    """A campaign that was run once by the command, without a server of the user's."""

    place: Place
    run: Run
    ended: Ended
    summary: bytes


@pytest.fixture(scope="session")
def played(new_place: Callable[[str], Place]) -> Played:
    """Two methods and the control arm on two batches."""
    place = new_place("played")
    ended = place.without_server().backhaul("run", place.config("tiny"))
    assert ended.code == 0, ended.err
    run = place.run("tiny")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


@pytest.fixture(scope="session")
def played_demo(new_place: Callable[[str], Place]) -> Played:
    """The campaign of `make demo`, whole."""
    place = new_place("demo")
    config = Path(__file__).resolve().parents[2] / "configs" / "quickstart.yaml"
    ended = place.backhaul("run", config, patience_s=1200)
    assert ended.code == 0, ended.err
    run = place.run("quickstart")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


SMALL_BCCD = (
    "name=bccd-small",
    "initial.images=60",
    "batches.sampling_batch=30",
    "bandwidth.images=10",
    "methods=[iqr,true-random]",
    "augmentation.images_per_class=null",
    "training.max_epochs=14",
    "training.retrain_max_epochs=2",
    "training.img_size=128",
    "training.batch_size=8",
    "inference.conf_check_num=2",
    "inference.conf_thres=0.001",
    "evaluation.pos_thres=0.01",
)
"""Changes to configs/bccd.yaml with which a test can wait for it."""


@pytest.fixture(scope="session")
def played_bccd(new_place: Callable[[str], Place], bccd: Path) -> Played:
    """The campaign on BCCD, shortened: two methods and the control arm on two batches."""
    place = new_place("bccd")
    settings = [text for change in SMALL_BCCD for text in ("--set", change)]
    config = Path(__file__).resolve().parents[2] / "configs" / "bccd.yaml"
    ended = place.backhaul("run", config, "--set", f"data.root={bccd}", *settings)
    assert ended.code == 0, ended.err
    run = place.run("bccd-small")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


@pytest.fixture
def in_process(prefect_server: None) -> Callable[[Path], Any]:
    """Runs a config in this process and returns the final state; the store is its folder."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from backhaul.campaign.configfile import load_config
    from flows.campaign import campaign

    def results_in(folder: Path) -> AbstractContextManager[object]:
        return temporary_settings(
            {PREFECT_LOCAL_STORAGE_PATH: folder / ".backhaul" / "results"}
        )

    def play(config: Path) -> Any:
        with results_in(config.parent):
            return campaign(load_config(config, (f"store={config.parent}",)), return_state=True)

    return play
