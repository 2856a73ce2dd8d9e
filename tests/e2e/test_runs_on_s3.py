"""A run in a bucket: its view, its page, analyses and export, by its address."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
from typer.testing import CliRunner, Result

from backhaul.analysis.series import SeriesPlan
from backhaul.analysis.subject import OwnCode, open_subject
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.rounds import read_rounds
from backhaul.campaign.tables import checkpoints_table
from backhaul.campaign.view import write_round_files
from backhaul.cli.commands import app
from backhaul.code import UserCode
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.errors import InputError, StoreError
from backhaul.layout import RunFiles, View
from backhaul.report import remotepictures as pictures
from backhaul.report import write_report
from backhaul.report.campaign import stored_campaign
from backhaul.report.remotepictures import RemotePictures
from backhaul.storage import places
from backhaul.storage.objects import artifacts_in
from blocks import ObjectStore
from tests.campaigns import IDLE

pytestmark = [pytest.mark.s3, pytest.mark.prefect, pytest.mark.train]

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SEEDS = (0, 2)


@pytest.fixture(autouse=True)
def keys(object_store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The keys in the environment, read anew."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(places, "_opened", {})
    monkeypatch.setattr("backhaul.analysis.png.DPI", 30)
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(object_store: Any) -> Any:
    return object_store.filesystem


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Path:
    """A store of this machine with a run, and with one of two seeds; they train nothing."""
    from flows.campaign import campaign

    folder = tmp_path_factory.mktemp("runs")
    for changes in ({}, {"name": "many", "seeds": SEEDS}):
        config = CampaignConfig.model_validate({**IDLE, "store": str(folder), **changes})
        assert campaign(config, return_state=True).is_completed()
    return folder


@pytest.fixture
def moved(store: Path, bucket: Any, tmp_path: Path) -> str:
    """The address of that store in the bucket, without what people look at."""
    found = [
        path
        for part in ("data", "objects", "runs", "results")
        for path in (store / ".backhaul" / part).rglob("*")
        if path.is_file()
    ]
    address = f"edge/{tmp_path.name}"
    targets = [f"{address}/{path.relative_to(store).as_posix()}" for path in found]
    bucket.put([str(path) for path in found], targets)
    return f"s3://{address}"


@pytest.fixture
def address(moved: str) -> str:
    return f"{moved}/runs/idle"


def backhaul(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_view_in_a_bucket_is_made_whole_by_its_address(
    bucket: Any, address: str, store: Path
) -> None:
    assert not bucket.exists(address)
    assert backhaul("report", address).stdout == f"{address}/report.html\n"
    start = f"{address.removeprefix('s3://')}/"
    there = {name.removeprefix(start) for name in bucket.find(address)}
    view = store / "runs" / "idle"
    here = {p.relative_to(view).as_posix() for p in view.rglob("*") if p.is_file()}

    def plain(names: set[str]) -> set[str]:
        return {name for name in names if not name.startswith(("checkpoints", "logs/tens"))}

    assert plain(there) == plain(here)
    assert "checkpoints.csv" in there
    for name in ("summary.csv", "classes.csv"):
        assert bucket.cat_file(f"{address}/{name}") == (view / name).read_bytes()


def test_a_page_goes_without_pictures_of_a_bucket_that_refuses(
    moved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(uri: str) -> bytes:
        asked.append(uri)
        raise StoreError("the object store refuses these keys")

    monkeypatch.setattr(pictures, "read_uri", refuse)
    fetch = RemotePictures()
    assert fetch("s3://other/a.png") is None
    assert fetch("s3://other/b.png") is None
    assert asked == ["s3://other/a.png"]
    assert write_report(stored_campaign(RunFiles(moved, "idle")), fetch)


COMMANDS = {
    "compare_map50": ["compare", "RUN"],
    "histogram": ["histogram", "RUN"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_analysis_says_the_same_and_lies_in_the_bucket(
    name: str, bucket: Any, store: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store)

    def analyze(run: str) -> Result:
        return backhaul("analyze", *(run if w == "RUN" else w for w in COMMANDS[name]))

    there, here = analyze(address), analyze("idle")
    assert there.stdout == here.stdout
    written = re.findall(r"^written: (.*)$", there.stderr, re.MULTILINE)
    assert f"{address}/report.html" in written
    assert all(bucket.exists(place) for place in written)


def test_several_seeds_get_a_page_each_and_one_of_all(bucket: Any, moved: str) -> None:
    address = f"{moved}/runs/many"
    backhaul("report", address)
    for place in (address, *(f"{address}/seed{k}" for k in SEEDS)):
        assert bucket.exists(f"{place}/report.html")
    with pytest.raises(InputError, match=rf"holds seed0, seed2: name one, .* {address}/seed0"):
        backhaul("analyze", "compare", address)
    backhaul("analyze", "compare", f"{address}/seed2")
    assert bucket.exists(f"{address}/seed2/analysis/compare_map50.json")


@pytest.mark.parametrize("command", [["report"], ["analyze", "compare"], ["export"]])
@pytest.mark.parametrize(
    ("place", "environment", "reason"),
    [
        ("s3://edge/runs/gone", {}, "s3://edge/runs/gone: no run there: expected the name"),
        ("s3://gone/runs/x", {}, "there is no bucket gone"),
        ("s3://edge/runs/x", {KEYS[1]: "wrong"}, "refuses these keys"),
        ("block://gone/runs/x", {}, "set PREFECT_API_URL"),
    ],
)
def test_what_is_wrong_is_said(
    command: list[str],
    place: str,
    environment: dict[str, str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    more = [str(tmp_path / "new")] if command == ["export"] else []
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(InputError) as e:
        backhaul(*command, place, *more)
    assert reason in str(e.value)


def keep_keys_in_block(object_store: Any, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Move the keys from the environment into the block ``cameras``."""
    environment = object_store.environment
    ObjectStore(
        bucket="edge",
        prefix=prefix,
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region="us-east-1",
        access_key_id=environment[KEYS[0]],
        secret_access_key=environment[KEYS[1]],
    ).save("cameras", overwrite=True)
    for name in environment:
        monkeypatch.delenv(name)


def test_a_data_set_is_checked_where_it_lies(
    bucket: Any,
    object_store: Any,
    prefect_server: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "scenes"
    write_scenes(folder, DigitsData(images=4, size_px=48))
    bucket.put(str(folder), f"edge/{tmp_path.name}/scenes", recursive=True)
    here = backhaul("data", "check", str(folder)).stdout
    assert backhaul("data", "check", f"s3://edge/{tmp_path.name}/scenes").stdout == here
    keep_keys_in_block(object_store, monkeypatch, tmp_path.name)
    assert backhaul("data", "check", "block://cameras/scenes").stdout == here


def test_a_block_opens_a_run(
    bucket: Any,
    object_store: Any,
    address: str,
    prefect_server: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_keys_in_block(object_store, monkeypatch, address.split("/")[3])
    assert backhaul("report", "block://cameras/runs/idle").stdout == f"{address}/report.html\n"
    assert bucket.exists(f"{address}/report.html")
    with pytest.raises(InputError, match="block object-store/gone"):
        backhaul("report", "block://gone/runs/idle")


def test_checkpoints_are_measured_where_they_lie_now(moved: str) -> None:
    from flows.analyze import analyze

    address = f"{moved}/runs/idle"
    own = UserCode(use=IDLE["training"]["detector"])
    plan = SeriesPlan(sets=("init",))
    _, files = analyze(address, ("true-random",), plan, detector=own)
    assert all(file.startswith(f"{address}/") for file in files)
    subject = open_subject(RunFiles(moved, "idle"), ("true-random",), OwnCode(own))
    uris = {a.uri for r in subject.records for a in artifacts_in(r)}
    assert all(uri.startswith(f"{moved}/.backhaul/objects/") for uri in uris)


def test_an_export_has_the_checkpoints_of_the_bucket(
    moved: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "copies"))  # none of another test run
    backhaul("export", f"{moved}/runs/idle", str(tmp_path / "there"))
    backhaul("export", str(store / "runs" / "idle"), str(tmp_path / "here"))

    def content(folder: Path, root: str) -> dict[str, bytes]:
        files = [p for p in folder.rglob("*") if p.suffix in (".pt", ".csv", ".txt")]
        return {
            p.relative_to(folder).as_posix(): p.read_bytes().replace(root.encode(), b"ROOT")
            for p in files
        }

    here, there = content(tmp_path / "here", str(store)), content(tmp_path / "there", moved)
    assert here == there
    listed = checkpoints_table(read_rounds(RunFiles(moved, "idle")))
    assert set(listed["file"]) == {name for name in there if name.endswith(".pt")}


def test_a_round_in_a_bucket_has_event_files_and_no_copies_of_checkpoints(
    moved: str, bucket: Any
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    records = {record.prefix: record for record in read_rounds(RunFiles(moved, "idle"))}
    record = records["true-random0"]
    folder = f"{moved}/runs/again"
    for _ in range(2):  # a second start writes the same once more
        write_round_files(View(folder), record)
    assert not bucket.exists(f"{folder}/checkpoints")
    assert bucket.exists(f"{folder}/logs/true-random0_training.csv")
    (file,) = bucket.ls(f"{folder}/logs/tensorboard/true-random0", detail=False)
    with tempfile.TemporaryDirectory() as place:
        bucket.get_file(file, f"{place}/{file.rpartition('/')[2]}")
        events = EventAccumulator(place)
        events.Reload()
        (event,) = events.Scalars("common/mAP50")
    assert event.step == record.standing.current.epoch
