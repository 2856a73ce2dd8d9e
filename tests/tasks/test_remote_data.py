"""Data sets in object stores: read as in a folder, but for the addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from prefect import flow

from backhaul.data import made
from backhaul.data import remote as remotedata
from backhaul.data.digits import write_scenes
from backhaul.data.formats import FORMATS, DataReport, read
from backhaul.data.made import data_folder
from backhaul.data.remote import read_remote
from backhaul.data.settings import DigitsData, FolderData, InboxData
from backhaul.data.source import fingerprint
from backhaul.errors import InputError, StoreError
from backhaul.storage.imagefiles import localise
from backhaul.storage.objects import exists_at, put_file, read_uri, read_value, remove
from backhaul.storage.objects import replace as put
from backhaul.values.images import ImageSet
from tasks.data import read_data
from tasks.stage import Step


@pytest.fixture
def bucket() -> Iterator[str]:
    """A place in an object store that lies in this process."""
    yield "memory://edge/set"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, DigitsData(images=12, size_px=64))
    return folder


def upload(folder: Path, root: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            put(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def read_there(root: str, **options: Any) -> DataReport:
    return read_remote(FolderData(root=root, **options), silent, silent)


def moved_to(root: str, folder: Path, report: DataReport) -> tuple[pd.DataFrame, list[str]]:
    """Return a report as it must be once the data set of `folder` lies at `root`."""
    rows = report.images.table
    uris = [uri.replace(str(folder), root) for uri in rows["uri"]]
    problems = [str(problem).replace(str(folder), root) for problem in report.problems]
    return rows.assign(uri=uris), problems


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_read_as_in_a_folder(
    name: str, scenes: Path, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "written"
    FORMATS[name].write(folder, read(FolderData(root=scenes.as_posix())).images)
    first, second, third, *_ = sorted(path for path in folder.rglob("*.png"))
    first.write_bytes(first.read_bytes()[:-20])  # truncated
    second.with_name("zz.png").write_bytes(second.read_bytes())  # twice
    third.with_name("new.PNG").write_bytes(b"no image")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.png").write_bytes(third.read_bytes())
    upload(folder, bucket)
    here = read(FolderData(root=folder.as_posix(), group_pattern=r"(\d)\.png$"))
    there = read_there(bucket, group_pattern=r"(\d)\.png$")
    rows, problems = moved_to(bucket, folder, here)
    pd.testing.assert_frame_equal(plain(there.images.table), plain(rows))
    assert [str(problem) for problem in there.problems] == problems
    assert len(problems) >= 3
    assert there.images.table["group"].notna().any()
    assert there.images.class_names == here.images.class_names


def test_images_pass_through_memory_eight_at_a_time(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tmp_path / "many"
    write_scenes(many, DigitsData(images=600, size_px=48))
    upload(many, bucket)
    guard, now, most, on_disk = threading.Lock(), 0, 0, 0

    def counted(uri: str) -> bytes:
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.001)
        try:
            return read_uri(uri)
        finally:
            with guard:
                now -= 1

    def watched(data: FolderData, reader: Any) -> DataReport:
        nonlocal on_disk
        report = read(data, reader)
        on_disk = sum(path.stat().st_size for path in Path(data.root).rglob("*.png"))
        return report

    monkeypatch.setattr(remotedata, "read_uri", counted)
    monkeypatch.setattr(remotedata, "read", watched)
    steps: list[tuple[int, int]] = []
    read_remote(FolderData(root=bucket), lambda *step: steps.append(step), silent)
    assert 1 < most <= 8
    assert on_disk == 0
    assert steps[-1] == (600, 600)


def test_only_images_that_the_data_set_names_are_fetched(
    scenes: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scenes, bucket)
    yaml = read_uri(f"{bucket}/data.yaml").decode().split("\n")
    kept = [line for line in yaml if not line.startswith(("train", "val", "test"))]
    put(f"{bucket}/data.yaml", "\n".join([*kept, "train: train.txt"]).encode())
    put(f"{bucket}/train.txt", b"images/scene00003.png\nimages/scene00005.png\n")
    asked = []

    def noted(uri: str) -> bytes:
        asked.append(uri.rpartition("/")[2])
        return read_uri(uri)

    monkeypatch.setattr(remotedata, "read_uri", noted)
    assert len(read_there(bucket).images) == 2
    assert sorted(asked) == ["scene00003.png", "scene00005.png"]


@pytest.mark.parametrize("path", ["{scenes}", "/", "..", "../datasets/digits", "~/digits"])
def test_a_path_of_another_machine_does_not_lead_away(
    path: str, scenes: Path, bucket: str
) -> None:
    upload(scenes, bucket)
    yaml = (scenes / "data.yaml").read_text()
    lines = [line for line in yaml.splitlines() if not line.startswith("path")]
    there = f"path: {path.format(scenes=scenes)}\n"  # a folder that is on this disk, too
    put(f"{bucket}/data.yaml", (there + "\n".join(lines)).encode())
    report = read_there(bucket)
    assert len(report.images) == 12
    assert report.images.table["uri"].str.startswith(f"{bucket}/images/").all()


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("{scenes}/images", ""),
        ("../../../../../../..{scenes}/images", ""),
        ("{secret}", ""),
        ("list.txt", "{scenes}/images/scene00000.png"),
        ("list.txt", "../../../../../..{scenes}/images/scene00000.png"),
        ("list.txt", "{secret}"),
        ("/", ""),
    ],
)
def test_nothing_of_this_disk_is_read_for_a_data_set_elsewhere(
    entry: str, line: str, scenes: Path, bucket: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary.jpg\ncanary\n")
    upload(scenes, bucket)
    names = "names: [" + ", ".join(f"c{k}" for k in range(10)) + "]"
    train = entry.format(scenes=scenes, secret=secret)
    put(f"{bucket}/data.yaml", f"{names}\nval: images\ntrain: {train}\n".encode())
    put(f"{bucket}/list.txt", line.format(scenes=scenes, secret=secret).encode())
    report = read_there(bucket)
    assert report.images.table["uri"].str.startswith(f"{bucket}/images/").all()
    assert report.problems  # what was not read, or what of the bucket was in its place
    assert all(problem.path.startswith(bucket) for problem in report.problems)
    assert "canary" not in "".join(map(str, report.problems))
    put(f"{bucket}/data.yaml", f"{names}\ntrain: {train}\n".encode())
    assert "canary" not in said_of(bucket)


def said_of(root: str) -> str:
    """Return what reading a data set says, also if it ends with an error; it stays there."""
    try:
        report = read_there(root)
    except InputError as error:
        return str(error)
    assert report.images.table["uri"].str.startswith(f"{root}/images/").all()
    return "\n".join(map(str, report.problems))


def test_problems_name_addresses(scenes: Path, bucket: str) -> None:
    upload(scenes, bucket)
    put(f"{bucket}/labels/scene00000.txt", b"9 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError) as wrong:
        read_there(bucket).require_clean()
    assert str(wrong.value).startswith(f"{bucket}/labels/scene00000.txt:1: error: ")
    put(f"{bucket}/data.yaml", b"names: []\n")
    with pytest.raises(InputError) as wrong:
        read_there(bucket)
    assert str(wrong.value).startswith(f"{bucket}/data.yaml: ")


def test_where_nothing_lies_it_says_so(bucket: str) -> None:
    put(f"{bucket}/notes.md", b"x")
    put(f"{bucket}-other/a.png", b"x")
    for ask in (read_there, lambda root: fingerprint(FolderData(root=root), "/store")):
        with pytest.raises(InputError, match="memory://edge/set: expected a data set, but"):
            ask(bucket)


def test_names_that_only_an_object_store_can_have(scenes: Path, bucket: str) -> None:
    upload(scenes, bucket)
    memory = fsspec.filesystem("memory")
    image = memory.store["/edge/set/images/scene00000.png"]
    for name in ("../../outside.png", "images//a.png", "images/./b.png"):
        memory.store[f"/edge/set/{name}"] = image
    assert len(read_there(bucket).images) == 12
    memory.store["/edge/set/images/scene00000.png/a.png"] = image
    with pytest.raises(InputError, match="a file and a folder have this name"):
        read_there(bucket)


def test_an_image_that_vanishes_is_left_out_and_a_store_that_fails_ends_it(
    scenes: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scenes, bucket)
    gone = f"{bucket}/images/scene00001.png"
    listed = remotedata.entries(bucket)
    remove(gone)
    monkeypatch.setattr(remotedata, "entries", lambda root: listed)
    report = read_there(bucket)
    assert len(report.images) == 11
    assert f"{gone}: warning: unreadable image, left out: is gone from the store" in map(
        str, report.problems
    )

    def refused(uri: str) -> bytes:
        raise StoreError("refused")

    monkeypatch.setattr(remotedata, "read_uri", refused)
    with pytest.raises(StoreError, match="refused"):
        read_there(bucket)


def test_labels_fill_the_disk(
    scenes: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scenes, bucket)

    def full(uri: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backhaul.storage.localcopies.get_file", full)
    with pytest.raises(StoreError, match="no space is left there"):
        read_there(bucket)


def test_an_inbox_is_for_the_hourly_flow(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.kind inbox: is for the flow hourly"):
        data_folder(InboxData(), 0, str(tmp_path), quiet)


def test_the_demo_goes_into_the_store_once_and_whole(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DigitsData(images=9, size_px=64)
    cut = 5

    def broken(path: Path, uri: str) -> None:
        if count(bucket) >= cut:
            raise StoreError("cut")
        put_file(path, uri)

    monkeypatch.setattr(made, "put_file", broken)
    with pytest.raises(StoreError, match="cut"):
        data_folder(data, 0, bucket, quiet)
    assert 0 < count(bucket) < 20
    monkeypatch.setattr(made, "put_file", put_file)
    folder = data_folder(data, 0, bucket, quiet)
    assert folder.root.startswith(f"{bucket}/.backhaul/data/digits-")
    assert count(bucket) == 9 + 9 + 3
    monkeypatch.setattr(made, "put_file", broken)  # nothing more is put
    assert data_folder(data, 0, bucket, quiet) == folder

    local = data_folder(data, 0, str(tmp_path), quiet)
    here = read(local).images.table.drop(columns="uri")
    there = read_there(folder.root, format="yolo").images.table.drop(columns="uri")
    pd.testing.assert_frame_equal(plain(there), plain(here))


def count(root: str) -> int:
    fs = fsspec.filesystem("memory")
    return len(fs.find(root.removeprefix("memory:/")))


@pytest.fixture
def edge(object_store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A place in a bucket, for this test alone; this process has its keys."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BACKHAUL_CACHE", str(tmp_path / "cache"))
    return f"s3://edge/{tmp_path.name}"


@pytest.mark.s3
def test_a_change_of_the_same_size_is_noticed(edge: str, scenes: Path) -> None:
    upload(scenes, edge)
    data = FolderData(root=edge)
    first = fingerprint(data, "/store")
    assert fingerprint(data, "/store") == first
    label = f"{edge}/labels/scene00000.txt"
    content = read_uri(label)
    put(label, content.replace(b"0.5", b"0.6").replace(b"0.4", b"0.3"))
    assert fingerprint(data, "/store") != first
    put(label, content)
    assert fingerprint(data, "/store") == first
    remove(f"{edge}/images/scene00001.png")
    assert fingerprint(data, "/store") != first


@pytest.mark.s3
def test_a_bucket_that_is_not_there(edge: str) -> None:
    with pytest.raises(InputError, match="s3://nowhere/set: "):
        fingerprint(FolderData(root="s3://nowhere/set"), "/store")


@pytest.mark.s3
@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
def test_a_campaign_reads_its_images_where_they_lie(
    edge: str, scenes: Path, tmp_path: Path
) -> None:
    upload(scenes, f"{edge}/set")
    data = FolderData(root=f"{edge}/set")
    step = Step(root=f"{edge}/store", seed=0)

    @flow
    def reading() -> ImageSet:
        dataset = read_data(data, fingerprint=fingerprint(data, step.root), step=step)
        return read_value(ImageSet, dataset.images)

    images = reading()
    here = read(FolderData(root=scenes.as_posix()))
    rows, _ = moved_to(data.root, scenes, here)
    pd.testing.assert_frame_equal(plain(images.table), plain(rows), check_dtype=False)
    folder = tmp_path / "fetched"
    folder.mkdir()
    local = localise(images.take(images.ids[:3]), folder)
    for uri, original in zip(local.table["uri"], here.images.table["uri"], strict=False):
        assert Path(uri).read_bytes() == Path(original).read_bytes()
    assert exists_at(f"{edge}/set/digits.json")


def quiet(done: int, total: int) -> None:
    """Say nothing of progress."""


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of images with labels that can be compared."""
    labels = [None if each is None else each.rows().tolist() for each in table["labels"]]
    return table.assign(labels=pd.Series(labels, index=table.index, dtype=object))
