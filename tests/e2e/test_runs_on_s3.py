"""The folder of a run in a bucket: its page, analyses and export, by its address."""

import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
from typer.testing import CliRunner, Result

from backhaul.analysis.recorded import open_recorded
from backhaul.analysis.series import SeriesPlan
from backhaul.campaign.folder import write_round
from backhaul.campaign.records import read_records
from backhaul.campaign.tables import checkpoints_table
from backhaul.cli.commands import app
from backhaul.errors import InputError, StoreError
from backhaul.report import mirror, write_report
from backhaul.report import remotepictures as pictures
from backhaul.report.mirror import mirrored, runs_at, write_page
from backhaul.storage import places
from backhaul.storage.localcopies import fetch
from backhaul.storage.objects import artifacts_in, put_file, read_uri
from blocks import ObjectStore
from tests.unit.conftest import FakeRun

pytestmark = pytest.mark.s3


def campaign(test: Any) -> Any:
    """Mark a test of a run that was played."""
    return pytest.mark.prefect(pytest.mark.train(test))


LEFT_OUT = ("checkpoints/iqr_ckpt_20.pt", "logs/tensorboard/iqr0/events.out.tfevents.1")
METHODS = ("iqr", "true-random", "no-new-data", "median-below-thresh")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


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


def put_run(bucket: Any, fake: FakeRun, prefix: str) -> str:
    """Put a made-up run into the bucket, its images elsewhere there; return its address."""
    fake.write()
    images = f"edge/{prefix}/images"
    for path in sorted(fake.folder.rglob("*")):
        name = path.relative_to(fake.folder).as_posix()
        if path.suffix == ".jpg":
            bucket.put_file(str(path), f"{images}/{name}")
        elif path.is_file():
            text = path.read_text(encoding="utf-8").replace(str(fake.folder), f"s3://{images}")
            bucket.pipe_file(f"edge/{prefix}/runs/cameras/{name}", text.encode())
    for name in LEFT_OUT:
        bucket.pipe_file(f"edge/{prefix}/runs/cameras/{name}", b"large")
    return f"s3://edge/{prefix}/runs/cameras"


@pytest.fixture
def fake(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path / "runs" / "cameras", methods=METHODS, batches=2)


@pytest.fixture
def address(bucket: Any, fake: FakeRun, tmp_path: Path) -> str:
    return put_run(bucket, fake, tmp_path.name)


def backhaul(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def thumbnails(page: str) -> list[str]:
    return re.findall(r"data:image/jpeg;base64,[^\"')]+", page)


@pytest.fixture
def put_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is put into the bucket."""
    noted: list[str] = []

    def note(source: Path, uri: str) -> None:
        noted.append(uri)
        put_file(source, uri)

    monkeypatch.setattr(mirror, "put_file", note)
    return noted


def test_the_page_shows_the_same_pictures_and_alone_is_put_back(
    bucket: Any,
    fake: FakeRun,
    address: str,
    put_back: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def note(uri: str) -> bytes:
        read.append(uri)
        return read_uri(uri)

    monkeypatch.setattr(pictures, "read_uri", note)
    assert backhaul("report", address).stdout == f"{address}/report.html\n"
    assert put_back == [f"{address}/report.html"]
    page = bucket.cat_file(f"{address}/report.html").decode()
    here = write_report(fake.folder).read_text(encoding="utf-8")
    assert thumbnails(page) == thumbnails(here)
    assert len(read) == len(set(read)) == len(set(thumbnails(here))) < fake.pool * fake.batches
    write_page(address)
    assert put_back == [f"{address}/report.html"]  # since it is the same


def test_a_copy_has_all_but_what_is_large_and_few_transfers_at_once(
    fake: FakeRun, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    lock = threading.Lock()

    def count(uri: str, target: Path) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        fetch(uri, target)
        with lock:
            at_once -= 1

    monkeypatch.setattr(mirror, "fetch", count)
    with mirrored(address) as folder:
        found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    files = {p.relative_to(fake.folder).as_posix() for p in fake.folder.rglob("*.*")}
    assert found == {name for name in files if not name.endswith(".jpg")}
    assert most == mirror.TRANSFERS
    assert not folder.exists()


def test_a_folder_of_this_machine_is_itself(tmp_path: Path) -> None:
    with mirrored(str(tmp_path)) as folder:
        assert folder == tmp_path


def test_a_block_that_fails_puts_nothing_back_and_names_the_address(
    bucket: Any, address: str, put_back: list[str]
) -> None:
    def fail() -> None:
        with mirrored(address) as folder:
            (folder / "summary.csv").write_text("half")
            raise StoreError(f"{folder}/summary.csv: is wrong")

    with pytest.raises(StoreError, match=rf"^{address}/summary\.csv: is wrong$"):
        fail()
    assert put_back == []
    bucket.pipe_file(f"{address}/run.json", b"{}")
    with pytest.raises(InputError, match=rf"^{address}/run\.json: name: Field required"):
        write_page(address)


def test_a_name_that_leads_elsewhere_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("../../outside", f"{tmp_path}/outside"):
        monkeypatch.setattr(mirror, "_files_below", lambda _, name=name: [name])
        with pytest.raises(InputError, match="outside: is no name of a file"):
            write_page(address)
    assert not (tmp_path / "outside").exists()


def test_a_page_goes_without_pictures_of_a_bucket_that_refuses(
    bucket: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(uri: str) -> bytes:
        asked.append(uri)
        raise StoreError("the object store refuses these keys")

    monkeypatch.setattr(pictures, "read_uri", refuse)
    write_page(address)
    assert thumbnails(bucket.cat_file(f"{address}/report.html").decode()) == []
    assert len(asked) == 1


COMMANDS = {
    "compare_map50": ["compare", "RUN"],
    "histogram": ["histogram", "RUN"],
    "regression": ["regression", "RUN", "--feature", "mean_conf", "--gain", "control"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_analysis_says_the_same_and_lies_in_the_bucket(
    name: str, bucket: Any, fake: FakeRun, address: str
) -> None:
    def analyze(run: str) -> Result:
        return backhaul("analyze", *(run if w == "RUN" else w for w in COMMANDS[name]))

    there, here = analyze(address), analyze(str(fake.folder))
    assert there.stdout == here.stdout
    assert there.stderr == here.stderr.replace(str(fake.folder), address)
    written = re.findall(r"^written: (.*)$", there.stderr, re.MULTILINE)
    assert f"{address}/report.html" in written
    assert all(bucket.exists(place) for place in written)
    (finding,) = (place for place in written if place.endswith(".json"))
    title = json.loads(bucket.cat_file(finding))["title"]
    assert title in bucket.cat_file(f"{address}/report.html").decode()


def test_several_seeds_get_a_page_each_and_one_of_all(bucket: Any, tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "runs" / "cameras", seeds=(0, 2), methods=("iqr",), batches=1)
    address = put_run(bucket, fake, tmp_path.name)
    assert runs_at(address) == (f"{address}/seed0", f"{address}/seed2")
    backhaul("report", address)
    for place in (address, *runs_at(address)):
        assert thumbnails(bucket.cat_file(f"{place}/report.html").decode())
    with pytest.raises(InputError, match=rf"holds seed0, seed2: name one, .* {address}/seed0"):
        backhaul("analyze", "compare", address)
    backhaul("analyze", "compare", f"{address}/seed2")
    assert bucket.exists(f"{address}/seed2/analysis/compare_map50.json")


@pytest.mark.parametrize("command", [["report"], ["analyze", "compare"], ["export"]])
@pytest.mark.parametrize(
    ("place", "environment", "reason"),
    [
        ("s3://edge/runs/gone", {}, "s3://edge/runs/gone: no run there: expected a folder"),
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


@pytest.mark.prefect
def test_a_block_opens_a_run(
    bucket: Any,
    object_store: Any,
    address: str,
    prefect_server: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = object_store.environment
    ObjectStore(
        bucket="edge",
        prefix=address.split("/")[3],
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region="us-east-1",
        access_key_id=environment[KEYS[0]],
        secret_access_key=environment[KEYS[1]],
    ).save("cameras", overwrite=True)
    for name in environment:
        monkeypatch.delenv(name)
    assert (
        backhaul("report", "block://cameras/runs/cameras").stdout == f"{address}/report.html\n"
    )
    assert bucket.exists(f"{address}/report.html")
    with pytest.raises(InputError, match="block object-store/gone"):
        backhaul("report", "block://gone/runs/cameras")


@pytest.fixture(scope="module")
def moved(played: Any, object_store: Any) -> str:
    """A run that was played on this machine, in the bucket with its store."""
    store, files = played.place.folder, object_store.filesystem
    found = [*(store / ".backhaul" / "objects").rglob("*"), *played.run.folder.rglob("*")]
    names = [p.relative_to(store).as_posix() for p in found if p.is_file()]
    chosen = [name for name in names if "/checkpoints/" not in name]
    targets = [f"edge/moved/{name}" for name in chosen]
    files.put([str(store / name) for name in chosen], targets)
    return "s3://edge/moved/runs/tiny"


@campaign
def test_checkpoints_are_measured_where_they_lie_now(moved: str, played: Any) -> None:
    from flows.analyze import analyze

    plan = SeriesPlan(sets=("init",))
    here, _ = analyze(str(played.run.folder), ("iqr",), plan)
    there, files = analyze(moved, ("iqr",), plan)
    assert there == here
    assert all(file.startswith(f"{moved}/") for file in files)
    record = open_recorded(moved, ("iqr",))
    assert record.root == "s3://edge/moved"
    uris = {a.uri for r in record.records for a in artifacts_in(r)}
    assert all(uri.startswith("s3://edge/moved/.backhaul/objects/") for uri in uris)


@campaign
def test_an_export_has_the_checkpoints_of_the_bucket(
    moved: str, played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "copies"))  # none of another test run
    backhaul("export", moved, str(tmp_path / "there"))
    backhaul("export", str(played.run.folder), str(tmp_path / "here"))

    def content(folder: Path) -> dict[str, bytes]:
        files = [p for p in folder.rglob("*") if p.suffix in (".pt", ".csv", ".txt")]
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}

    here, there = content(tmp_path / "here"), content(tmp_path / "there")
    assert here == there
    listed = checkpoints_table(read_records(moved))
    assert set(listed["file"]) == {name for name in there if name.endswith(".pt")}


@campaign
def test_a_round_in_a_bucket_has_event_files_and_no_copies_of_checkpoints(
    moved: str, bucket: Any
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    records = {record.prefix: record for record in open_recorded(moved, ("iqr",)).records}
    record = records["iqr0"]
    folder = "s3://edge/moved/runs/again"
    for _ in range(2):  # a second start writes the same once more
        write_round(folder, record)
    assert not bucket.exists(f"{folder}/checkpoints")
    assert bucket.exists(f"{folder}/logs/iqr0_training.csv")
    (file,) = bucket.ls(f"{folder}/logs/tensorboard/iqr0", detail=False)
    with tempfile.TemporaryDirectory() as place:
        bucket.get_file(file, f"{place}/{file.rpartition('/')[2]}")
        events = EventAccumulator(place)
        events.Reload()
        (event,) = events.Scalars("common/mAP50")
    assert event.step == record.standing.current.epoch
