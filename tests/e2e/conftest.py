"""Campaigns so small that a test can wait for them; the first one is shared by many tests."""

import copy
import io
import json
import logging
import os
import re
import subprocess
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from backhaul.layout import RunFiles, run_at
from backhaul.storage.checksums import CHECKSUM
from deployments.local.stack import Stack
from tests.e2e.operator import running_stack

COMMAND = str(Path(sysconfig.get_path("scripts")) / "backhaul")
PATIENCE_S = 400  # on a machine that others use as well

FIXED = {"detector": "fixed_detector:Templates", "model": "templates"}
"""A detector whose numbers are the same on every machine, see `tests/own`."""

LOGGERS = ("prefect", "prefect.task_runs", "prefect.flow_runs")
"""Those that a command quietens, as its process ends soon."""

WITH_FIXED = {f"training__{key}": value for key, value in FIXED.items()}

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
        "logs_per_epoch": 2,
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
        """The record of a round; its checksum, which is of its times as well, is left out."""
        record = json.loads((self.records / "rounds" / f"{prefix}.json").read_text())
        return {key: value for key, value in record.items() if key != CHECKSUM}

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
        base: What all its configs change in `TINY`.
    """

    folder: Path
    server: str | None = None
    base: Mapping[str, Any] = field(default_factory=lambda: WITH_FIXED)

    def without_server(self) -> "Place":
        return replace(self, server=None)

    def with_ultralytics(self) -> "Place":
        """Configs of a detector that is trained, with methods that find images in any case."""
        return replace(self, base={"methods": ["random", "true-random"]})

    def config(self, name: str, **changes: object) -> Path:
        """Write `TINY` under another name; a value for ``a__b`` replaces that of ``a.b``."""
        config = {**copy.deepcopy(TINY), "name": name}
        for key, value in {**self.base, **changes}.items():
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
        mine |= {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(PATIENCE_S)}
        return mine if self.server is None else mine | {"PREFECT_API_URL": self.server}

    def backhaul(self, *arguments: str | Path) -> Ended:
        """Call the command here in this process, which spares it the start of one.

        Without a server it must not come to the start of a flow.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            working_in(self.folder, self.server, ["backhaul", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = _call_main()
        return Ended(code, out.getvalue(), err.getvalue())

    def process(
        self, *arguments: str | Path, hash_seed: str = "0", patience_s: float = PATIENCE_S
    ) -> Ended:
        """Run the command here in a process of its own."""
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


@contextmanager
def working_in(folder: Path, server: str | None, command: list[str]) -> Iterator[None]:
    """Meanwhile, this process is as one of the command in a folder, with a store in it."""
    from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    results = {PREFECT_LOCAL_STORAGE_PATH: folder / ".backhaul" / "results"}
    without = {PREFECT_API_URL} if server is None else set()
    with (
        pytest.MonkeyPatch.context() as patch,
        temporary_settings(results, restore_defaults=without),
    ):
        before = dict(os.environ)
        levels = {name: logging.getLogger(name).level for name in LOGGERS}
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "argv", command)
        os.environ["COLUMNS"] = "200"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            forget_modules(folder)


def forget_modules(folder: Path) -> None:
    """Let code in a folder be imported anew: it may have been edited, or be of another one."""
    # A copy is made in one step, a list of pairs is not: another thread may import meanwhile.
    for name, module in sys.modules.copy().items():
        source = getattr(module, "__file__", None)
        if source is not None and Path(source).is_relative_to(folder):
            sys.modules.pop(name, None)


def _call_main() -> int:
    from backhaul.cli import main

    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:  # as Python does with what nobody catches
        traceback.print_exc()
        return 1
    return 0


@pytest.fixture(scope="session")
def new_place(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> Callable[[str], Place]:
    """Makes places that use the server of the tests, which spares the start of one."""
    from prefect.settings import PREFECT_API_URL

    return lambda name: Place(tmp_path_factory.mktemp(name), PREFECT_API_URL.value())


@dataclass(frozen=True)
class Played:
    """A campaign that was run once by the command."""

    place: Place
    run: Run
    ended: Ended
    summary: bytes


@pytest.fixture(scope="session")
def played(new_place: Callable[[str], Place]) -> Played:
    """Two methods and the control arm on two batches, with Ultralytics and without a server.

    The files that use it are tested one after another, see `tests/conftest.py`.
    """
    place = new_place("played").with_ultralytics()
    ended = place.without_server().process("run", place.config("tiny"))
    assert ended.code == 0, ended.err
    run = place.run("tiny")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


@pytest.fixture(scope="session")
def fixed(new_place: Callable[[str], Place]) -> Played:
    """The same campaign with a detector whose numbers are the same on every machine."""
    place = new_place("fixed")
    ended = place.backhaul("run", place.config("tiny"))
    assert ended.code == 0, ended.err
    run = place.run("tiny")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


SMALL_DEMO = (
    "training.steps=10",
    "training.retrain_steps=3",
    "training.checkpoint_interval=1",
    "data.test=40",
    "inference.conf_thres=0.001",
    "evaluation.pos_thres=0.01",
)
"""Changes to the config of `make demo` with which a test can wait for it."""


@pytest.fixture(scope="session")
def played_demo(new_place: Callable[[str], Place]) -> Played:
    """The campaign of `make demo` with fewer steps: three methods on two batches."""
    place = new_place("demo")
    settings = [text for change in SMALL_DEMO for text in ("--set", change)]
    config = Path(__file__).resolve().parents[2] / "configs" / "quickstart.yaml"
    ended = place.process("run", config, *settings, patience_s=1200)
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
    ended = place.process("run", config, "--set", f"data.root={bccd}", *settings)
    assert ended.code == 0, ended.err
    run = place.run("bccd-small")
    return Played(place, run, ended, (run.folder / "summary.csv").read_bytes())


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All services of production, for tests that leave them as they found them."""
    with running_stack(tmp_path_factory.mktemp("shared_stack") / "up") as stack:
        yield stack


@pytest.fixture
def in_process(prefect_server: None) -> Callable[[Path], Any]:
    """Runs a config in this process and returns the final state; the store is its folder."""
    from prefect.settings import PREFECT_API_URL

    from backhaul.campaign.configfile import load_config
    from flows.campaign import campaign

    def play(config: Path) -> Any:
        folder, server = config.parent, PREFECT_API_URL.value()
        with working_in(folder, server, ["backhaul"]):
            return campaign(load_config(config, (f"store={folder}",)), return_state=True)

    return play
