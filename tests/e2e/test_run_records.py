"""What a run knows of itself lies apart from the files that people look at."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.importing import import_run
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runtables import run_of
from backhaul.cli.commands import app
from backhaul.layout import RunFiles
from backhaul.storage.objects import artifacts_in, exists
from tests.campaigns import IDLE
from tests.e2e.edge import BATCH, Edge

pytestmark = [pytest.mark.prefect, pytest.mark.train]

EVENTS = "events.out.tfevents."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Path:
    """A store with one run, of a detector that learns nothing."""
    from flows.campaign import campaign

    folder = tmp_path_factory.mktemp("records")
    assert campaign(idle(folder), return_state=True).is_completed()
    return folder


def idle(folder: Path) -> CampaignConfig:
    return CampaignConfig.model_validate({**IDLE, "store": str(folder)})


@pytest.fixture
def copy(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store in another folder, which is the working directory."""
    monkeypatch.setattr("backhaul.analysis.png.DPI", 30)
    shutil.copytree(store, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    return tmp_path / "moved"


def backhaul(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def files_of(folder: Path) -> dict[str, bytes]:
    """All files by name; of TensorBoard's, which hold times, where they lie."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in found}
    return {
        name if EVENTS not in name else name.partition(EVENTS)[0]: b""
        if EVENTS in name
        else path.read_bytes()
        for path, name in names.items()
    }


def test_the_view_is_made_again_whole(copy: Path) -> None:
    view = copy / "runs" / "idle"
    backhaul("analyze", "compare", "idle")
    backhaul("report", "idle")
    before = files_of(view)
    assert {"analysis/compare_map50.png", "checkpoints/init_ckpt_1.pt"} <= before.keys()
    shutil.rmtree(copy / "runs")
    assert backhaul("report", "idle") == "runs/idle/report.html\n"
    assert files_of(view) == before
    (view / "summary.csv").write_text("damaged")
    (view / "run.json").write_text("{")
    (view / "output" / "sample0.txt").unlink()
    backhaul("report", "idle")
    assert files_of(view) == before


def test_what_is_damaged_in_the_view_changes_nothing_that_is_said(copy: Path) -> None:
    asked = ("analyze", "compare", "idle", "--format", "json")
    before = backhaul(*asked)
    for path in (copy / "runs" / "idle").rglob("*.*"):
        if path.is_file() and path.suffix != ".pt":
            path.write_text("damaged")
    assert backhaul(*asked) == before


def test_a_folder_that_came_without_its_store_says_the_same(copy: Path, tmp_path: Path) -> None:
    backhaul("report", "idle")  # its lists say where the images lie now
    mailed = shutil.copytree(copy / "runs" / "idle", tmp_path / "mailed")
    there = run_of(RunRecords(RunFiles(copy.as_posix(), "idle")))
    here = import_run(mailed)
    pd.testing.assert_frame_equal(here.summary, there.summary)
    pd.testing.assert_frame_equal(here.classes, there.classes)
    assert (here.trainings, here.timings) == (there.trainings, there.timings)
    assert here.losses.keys() == there.losses.keys()
    for mine, theirs in zip(here.batches, there.batches, strict=True):
        assert (mine.method, mine.batch, mine.pool, mine.sent, mine.reasons) == (
            theirs.method,
            theirs.batch,
            theirs.pool,
            theirs.sent,
            theirs.reasons,
        )
        pd.testing.assert_frame_equal(mine.seen, theirs.seen, check_dtype=False)
        assert mine.n_bytes == theirs.n_bytes
        assert mine.n_objects == {file: theirs.n_objects[file] for file in theirs.sent}
    shutil.rmtree(copy / ".backhaul")
    assert backhaul("report", str(mailed)) == f"{mailed}/report.html\n"
    assert "true-random" in backhaul("analyze", "compare", str(mailed))


def test_records_of_a_store_that_was_moved_are_where_it_lies_now(copy: Path) -> None:
    records = RunRecords(RunFiles(copy.as_posix(), "idle"))
    found = [artifact for part in records.parts for artifact in artifacts_in(part)]
    assert len(found) > 20
    assert all(each.uri.startswith(f"{copy}/.backhaul/objects/") for each in found)
    assert all(map(exists, found))
    assert len(records.starts) == 1
    assert records.starts[0].versions["python"]


class Site:
    """A site whose images arrive hour by hour; its detector learns nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.edge = Edge.begin(folder / "scenes", str(folder))

    @property
    def config(self) -> CampaignConfig:
        changes = {name: IDLE[name] for name in ("training", "inference")}
        given = self.edge.config(str(self.folder), **changes)
        return CampaignConfig.model_validate(given)

    def hour(self, first: int, count: int) -> Any:
        from flows.hourly import hourly

        self.edge.drop("cam1", range(first, first + count))
        return hourly(self.config, return_state=True)

    @property
    def played(self) -> list[int]:
        table = pd.read_csv(self.folder / "runs" / "edge" / "summary.csv")
        return [int(n) for n in table[table["test_set"] == "common"]["batch"].dropna()]


@pytest.mark.slow
def test_hours_go_on_without_the_view_and_in_a_store_that_was_moved(
    tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "first")
    assert site.hour(0, BATCH).is_completed()
    summary = (site.folder / "runs" / "edge" / "summary.csv").read_bytes()
    shutil.rmtree(site.folder / "runs")
    site.folder.rename(tmp_path / "second")
    site.folder = tmp_path / "second"
    (tmp_path / "first").mkdir()
    for part in ("initial", "ingested"):  # tables of images name them where they lay
        (tmp_path / "first" / part).symlink_to(site.folder / part)
    site.edge = Edge(site.folder / "scenes", str(site.folder), site.edge.fs)
    records = RunRecords(RunFiles(site.folder.as_posix(), "edge"))
    begun = records.beginning
    state = site.hour(BATCH, BATCH)
    assert state.is_completed(), state.message
    assert site.played == [0, 1]
    again = (site.folder / "runs" / "edge" / "summary.csv").read_bytes()
    assert again.startswith(summary)
    assert pd.read_csv(site.folder / "runs/edge/summary.csv")["images_sent_total"].max() == 8
    after = RunRecords(records.files)
    assert after.beginning == begun  # it was not prepared or trained once more
    assert [each.prefix for each in after.rounds] == ["init", "iqr0", "iqr1"]
    monkeypatch.chdir(site.folder)
    backhaul("report", "edge")
    assert (site.folder / "runs/edge/output/iqr0_selection.csv").exists()
    assert (site.folder / "runs/edge/summary.csv").read_bytes() == again
    rounds = json.loads((site.folder / "runs/edge/rounds.json").read_text())
    assert [each["batch"] for each in rounds["trainings"]] == [None, 0, 1]
