"""Make the store that every later version must open: a campaign, and a run of hours.

``python tests/store/make_store.py ARCHIVE`` plays both against a temporary Prefect server, and
packs their store. The campaign is finished; of the hours, one batch was played, and the next
one waits for its labels. An archive that was committed is never made again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

from backhaul.campaign.config import CampaignConfig
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # where the detector is found, also by the processes that train it
    sys.path.append(HERE)
N_SCENES, N_INITIAL, BATCH = 18, 6, 4
SIZE_PX = 48
LABELS, LATER = "labels/node", "later"
"""Where labels are put, and where those lie that will be."""
DETECTOR = "tiny_detector:TinyDetector"
ABOUT = "about.json"
LIBRARIES = ("faster-coco-eval", "iterative-stratification", "opencv-python", "pillow")
"""Distributions whose version enters keys of the stages that were run."""

COMMON: dict[str, Any] = {
    "seed": 3,
    "control": False,
    "bandwidth": {"images": 2},
    "training": {
        "detector": DETECTOR,
        "max_epochs": 2,
        "retrain_max_epochs": 1,
        "img_size": 64,
        "threads": 1,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2, "conf_thres": 0.01},
}


def campaign_config(store: Path, **changes: Any) -> CampaignConfig:
    """Return the campaign: one method on two batches of digits."""
    config = {
        **COMMON,
        "name": "finished",
        "store": str(store),
        "data": {"kind": "digits", "images": N_SCENES, "size_px": SIZE_PX},
        "initial": {"images": N_INITIAL, "train": 0.5, "valid": 0.25},
        "batches": {"sampling_batch": BATCH, "train": 0.5, "valid": 0.25},
        "methods": [{"kind": "iqr"}],
    }
    return CampaignConfig.model_validate(config | changes)


def hourly_config(store: Path) -> CampaignConfig:
    """Return the run of hours, whose initial data lie in the store."""
    data = {"kind": "folder", "root": f"{store}/initial"}
    config = {
        **COMMON,
        "name": "hours",
        "store": str(store),
        "data": {"kind": "inbox"},
        "initial": {"data": data, "images": None, "train": 0.5, "valid": 0.25},
        "batches": {"sampling_batch": BATCH, "train": 0.5, "valid": 0.25},
        "methods": [{"kind": "random"}],
    }
    return CampaignConfig.model_validate(config)


def make_store(store: Path) -> None:
    """Play the campaign and the hours in a new folder; a Prefect server must be at hand."""
    from flows.campaign import campaign
    from flows.hourly import hourly

    store.mkdir(parents=True)
    campaign(campaign_config(store))
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder)
        write_scenes(scenes, DigitsData(images=N_SCENES, size_px=SIZE_PX, seed=1))
        put_initial(scenes, store)
        for batch, labels in enumerate((store / LABELS, store / LATER)):
            drop(scenes, store, batch)
            label(scenes, labels, batch)
            hourly(hourly_config(store))
    shutil.rmtree(store / "runs")  # what people look at; it can be made again


def put_initial(scenes: Path, store: Path) -> None:
    """Put the first scenes into the store as the initial data set."""
    (store / "initial").mkdir()
    shutil.copy2(scenes / "data.yaml", store / "initial")
    for image in _images(scenes)[:N_INITIAL]:
        _copy(image, store / "initial" / "images")
        _copy(_labels(image), store / "initial" / "labels")


def drop(scenes: Path, store: Path, batch: int) -> None:
    """Drop the images of a batch into the inbox, as a node does."""
    for image in _of_batch(scenes, batch):
        _copy(image, store / "inbox" / "node")


def label(scenes: Path, folder: Path, batch: int) -> None:
    """Put the labels of a batch into a folder, as an annotator does."""
    for image in _of_batch(scenes, batch):
        _copy(_labels(image), folder)


def _of_batch(scenes: Path, batch: int) -> list[Path]:
    first = N_INITIAL + batch * BATCH
    return _images(scenes)[first : first + BATCH]


def _images(scenes: Path) -> list[Path]:
    return sorted((scenes / "images").iterdir())


def _labels(image: Path) -> Path:
    return image.parents[1] / "labels" / f"{image.stem}.txt"


def _copy(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, folder)


def pack(store: Path, archive: Path) -> None:
    """Put a store into an archive that is not there yet.

    Args:
        store: Its root.
        archive: A file ``.tar.xz``.
    """
    files = sorted(path for path in store.rglob("*") if path.is_file())
    names = [path.relative_to(store).as_posix() for path in files]
    times = [path.stat().st_mtime_ns for path in files]
    about = {
        "times": dict(zip(names, times, strict=True)),
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }
    content = json.dumps(about, indent=1).encode()
    with tarfile.open(archive, "x:xz") as packed:
        entry = tarfile.TarInfo(ABOUT)
        entry.size = len(content)
        packed.addfile(entry, BytesIO(content))
        for path, name in zip(files, names, strict=True):
            packed.add(path, f"store/{name}", filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main(archive: Path) -> None:
    """Make the store and pack it."""
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=90),
        tempfile.TemporaryDirectory() as folder,
    ):
        store = Path(folder) / "store"
        make_store(store)
        pack(store, archive)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
