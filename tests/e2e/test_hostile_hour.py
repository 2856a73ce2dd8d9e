"""Hours with three good nodes and a hostile one, on SeaweedFS, each with keys of its own."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.inbox.log import read_log
from deployments.local.seaweedfs import SeaweedFS
from tests.e2e.conftest import Ended, Place
from tests.e2e.edge import Edge
from tests.hostile_images import BAD, GOOD
from tests.identities import HOUR, environment_of, files_of
from tests.tasks.test_inbox_hostile import SIDECARS

pytestmark = [pytest.mark.prefect, pytest.mark.train, pytest.mark.s3]

GOOD_IMAGES = 200
NODES = ("cam1", "cam2", "cam3")
STORE = f"edge/{HOUR}"
BATCH = {"sampling_batch": GOOD_IMAGES + len(SIDECARS), "train": 0.5, "valid": 0.25}

LONG = ("x" * 248, "\N{GREEK SMALL LETTER ALPHA}" * 120, "/".join(["d" * 60] * 12))
"""Names that are hard to move: of 252 bytes, of letters of many bytes, of many parts."""

ELSEWHERE = (
    *("inbox/cam1/over.jpg", "inbox/x.jpg", "labels/cam1/x.txt", "published/model.onnx"),
    *("ingested/log/00000001.parquet", "ingested/pending/00000001.json", "nodes/cam1/x"),
    *(".backhaul/results/x", "runs/edge/run.json", "initial/data.yaml"),
    *("inbox/bad/../cam1/x.jpg", "inbox/bad/../../.backhaul/results/x", "../outside.jpg"),
)
"""Where a node must not write, below the store."""


@dataclass(frozen=True)
class Site:
    """The store, and the machine at home on which the hours are run."""

    place: Place
    store: SeaweedFS
    dropped: dict[str, bytes]
    config: Path

    def hour(self) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment_of(self.store, "home-hour").items():
                patch.setenv(name, value)  # keys that open nothing outside this store
            patch.setenv("BACKHAUL_CACHE", str(self.place.folder / "copies"))
            return self.place.backhaul("hourly", self.config, "--plain")

    def tree(self, below: str = "") -> dict[str, bytes]:
        fs = self.store.filesystem
        found = fs.find(f"{STORE}/{below}".rstrip("/"))
        return {
            name.removeprefix(f"{STORE}/"): fs.cat_file(name)
            for name in found
            if "/.backhaul/" not in name and "/logs/" not in name
        }


def hostile_files() -> dict[str, bytes]:
    """What the hostile node drops below its folder, and is to be set aside."""
    files = {f"broken/{number}.jpg": data for number, data in enumerate(BAD.values())}
    files |= {f"{name}.jpg": f"no image {len(name)}".encode() for name in LONG}
    files |= {
        "huge.jpg": GOOD + bytes(2**18),
        "\\..\\..\\windows.jpg": b"no image 1",
        "a b%2F..%2F..%2Fc;$(touch x).jpg": b"no image 2",
        "line\nbreak.jpg": b"no image 3",
        "__class__.jpg": b"no image 4",
    }
    return files


def takes(fs: Any, name: str, data: bytes) -> bool:
    """Drop a file; return whether the store takes its name."""
    try:
        fs.call_s3("put_object", Bucket="edge", Key=f"{HOUR}/inbox/{name}", Body=data)
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def site(new_place: Callable[[str], Place], object_store: SeaweedFS) -> Site:
    place = new_place("hostile-hour")
    scenes, n_all = place.folder / "scenes", 16 + BATCH["sampling_batch"]
    home = Edge.begin(scenes, STORE, files_of(object_store, "home-hour"), int(n_all))
    annotator = dataclasses.replace(home, fs=files_of(object_store, "annotator-hour"))
    for number, node in enumerate(NODES):
        mine = dataclasses.replace(home, fs=files_of(object_store, f"node-{node}"))
        numbers = range(number, GOOD_IMAGES, len(NODES))
        mine.drop(node, numbers, labelled=False)
        for each in numbers:
            annotator.label(node, each)
    bad = files_of(object_store, "node-bad")
    files = hostile_files()
    dropped = {name: data for name, data in files.items() if takes(bad, f"bad/{name}", data)}
    assert len(dropped) >= len(files) - 2
    hostile = dataclasses.replace(home, fs=bad)
    for number, sidecar in enumerate(SIDECARS.values(), start=GOOD_IMAGES):
        image, _ = home._files(16 + number)
        bad.pipe_file(f"{STORE}/inbox/bad/{image.stem}.detections.json", sidecar)
        hostile.drop("bad", [number], labelled=False)
        annotator.label("bad", number)
    config = place.folder / "hour.yaml"
    changed = home.config(f"s3://{STORE}", batches=BATCH)
    changed["data"]["limits"] = {"image_bytes": 2**18}  # else the test would send 100 MiB
    config.write_text(yaml.safe_dump(changed))
    return Site(place, object_store, dropped, config)


def test_all_that_is_good_comes_in_and_all_that_is_bad_is_set_aside(site: Site) -> None:
    outside = {
        f"edge/outside/{name}": name.encode() for name in ("a.jpg", ".backhaul/results/x")
    }
    for name, data in outside.items():
        site.store.filesystem.pipe_file(name, data)
    bad = files_of(site.store, "node-bad")
    for name in ELSEWHERE:
        with pytest.raises(OSError, match=r"Invalid|Denied|denied|Forbidden"):
            bad.call_s3("put_object", Bucket="edge", Key=f"{HOUR}/{name}", Body=b"evil")
    before = site.tree()

    first = site.hour()
    assert first.code == 0, first.err
    log = _log(site)
    of_nodes = log[log["node"].isin(NODES)]
    assert len(of_nodes) == of_nodes["image_id"].nunique() == GOOD_IMAGES
    assert len(log) == BATCH["sampling_batch"]
    assert log[log["node"] == "bad"]["detections"].isna().all()  # all out of bounds
    said = first.out + first.err
    assert said.count("unreadable image, set aside: ") == len(site.dropped)
    assert said.count(".detections.json: error: ") == len(SIDECARS)
    assert "Traceback" not in said
    after = site.tree()
    aside = [
        data for name, data in after.items() if name.startswith("ingested/unreadable/bad/")
    ]
    long = [
        data for name, data in after.items() if name.startswith("ingested/unreadable/long/")
    ]
    assert sorted(aside + long) == sorted(site.dropped.values())
    assert [name for name in after if name.startswith("inbox/")] == []
    images = {data for name, data in after.items() if name.startswith("ingested/images/")}
    good = {d for n, d in before.items() if n.startswith("inbox/cam") and n.endswith(".png")}
    assert good <= images
    for kept in ("initial/", "labels/", "published/"):
        for name, data in before.items():
            assert not name.startswith(kept) or after[name] == data
    for name, data in outside.items():
        assert site.store.filesystem.cat_file(name) == data


def test_the_second_hour_is_quiet(site: Site) -> None:
    before = site.tree()
    quiet = site.hour()
    assert quiet.code == 0, quiet.err
    assert "nothing to play, 1 batches" in quiet.out
    assert "unreadable" not in quiet.out.replace("0 unreadable", "")
    assert "warning" not in quiet.out.lower()
    assert site.tree() == before


def _log(site: Site) -> Any:
    import pandas as pd

    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.store.environment.items():
            patch.setenv(name, value)
        return pd.concat([rows for _, rows in read_log(f"s3://{STORE}")], ignore_index=True)
