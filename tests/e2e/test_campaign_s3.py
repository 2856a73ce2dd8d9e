"""A whole campaign whose store and data set lie in S3, with a worker's keys: as on a disk."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from deployments.local.seaweedfs import SeaweedFS
from tests.e2e.conftest import Played
from tests.identities import environment_of

pytestmark = [pytest.mark.prefect, pytest.mark.train, pytest.mark.s3]

STORE = "edge/campaign"


@pytest.fixture(scope="module")
def in_bucket(fixed: Played, object_store: SeaweedFS) -> SeaweedFS:
    """The bucket, once the shared campaign has been played in it."""
    scenes = next((fixed.place.folder / ".backhaul" / "data").glob("digits-*"))
    object_store.filesystem.put(str(scenes), f"{STORE}/scenes", recursive=True)
    data = {"kind": "folder", "root": f"s3://{STORE}/scenes"}
    config = fixed.place.config("in-bucket", store=f"s3://{STORE}", data=data)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(object_store, "worker-campaign").items():
            patch.setenv(name, value)
        patch.setenv("BACKHAUL_CACHE", str(fixed.place.folder / "copies"))
        ended = fixed.place.backhaul("run", config)
    assert ended.code == 0, ended.err
    assert f"report: s3://{STORE}/runs/in-bucket/report.html" in ended.out
    return object_store


def test_splits_selections_and_metrics_are_those_of_a_disk(
    in_bucket: SeaweedFS, fixed: Played
) -> None:
    fs, folder = in_bucket.filesystem, f"{STORE}/runs/in-bucket"
    summary = pd.read_csv(io.BytesIO(fs.cat_file(f"{folder}/summary.csv")))
    pd.testing.assert_frame_equal(summary, pd.read_csv(io.BytesIO(fixed.summary)))
    lists = [Path(name) for name in fs.ls(f"{folder}/output", detail=False)]
    names = [path.name for path in lists if path.suffix == ".txt"]
    assert len(names) > 10
    for name in names:
        lines = fs.cat_file(f"{folder}/output/{name}").decode().splitlines()
        assert [Path(line).name for line in lines] == fixed.run.listed(name)


def test_the_bucket_has_what_a_person_looks_for(in_bucket: SeaweedFS) -> None:
    fs, folder = in_bucket.filesystem, f"{STORE}/runs/in-bucket"
    record = json.loads(fs.cat_file(f"{folder}/run.json"))
    assert record["state"] == "completed"
    checkpoints = pd.read_csv(io.BytesIO(fs.cat_file(f"{folder}/checkpoints.csv")))
    assert len(checkpoints) == len(set(checkpoints["file"])) > 5
    assert all(fs.exists(uri) for uri in checkpoints["uri"])
    assert b"data:image/jpeg" in fs.cat_file(f"{folder}/report.html")


def test_prefects_results_lie_in_the_bucket_and_nothing_is_half_there(
    in_bucket: SeaweedFS,
) -> None:
    fs = in_bucket.filesystem
    assert len(fs.ls(f"{STORE}/.backhaul/results")) > 20
    left = [
        n
        for n in fs.find(STORE)
        if n.endswith(".partial") or "/leases/" in n or "/resume/" in n
    ]
    assert not [name for name in left if fs.info(name)["size"]]
