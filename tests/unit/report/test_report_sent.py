"""The section on what was sent, as the page shows it."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from backhaul.report.pictures import Album
from backhaul.report.sent import SentSection, all_sent, sent_section
from tests.unit.conftest import FakeRun


def section_of(folder: Path) -> SentSection:
    campaign = imported_campaign(folder)
    colours = dict.fromkeys(campaign.labels, "#123456")
    return sent_section(campaign, all_sent(campaign, None), colours, Album(folder).thumbnail)


def test_the_page_shows_and_writes_what_was_sent(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "runs/cameras", pool=6, sent=5)
    page = Path(write_report(imported_campaign(fake.write()))).read_text(encoding="utf-8")
    table = pd.read_csv(fake.folder / "sent.csv")
    assert table.groupby("method")["images"].sum().to_dict() == {
        label: 15 for label in fake.methods if label != "no-new-data"
    }
    assert table["seed"].unique().tolist() == [7]
    parts = table[["scenes", "repeats", "repeats_earlier", "empty"]].sum(axis=1)
    assert parts.tolist() == table["images"].tolist()
    assert "The mAP of one seed proves nothing" in page
    assert "by likeness" in page
    assert "docs/study.md" in page
    assert page.count('<article class="sheet">') == 3
    assert "b0 &amp; 1.jpg, batch 0" in page
    assert "b0 & 1.jpg" not in page


def test_several_seeds_are_means_and_make_no_claim_of_one(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "runs/cameras", seeds=(0, 1), batches=1)
    page = Path(write_report(imported_campaign(fake.write()))).read_text(encoding="utf-8")
    assert "The mAP of one seed proves nothing" not in page
    assert "means over the seeds, and the pictures of seed 0" in page
    assert set(pd.read_csv(fake.folder / "sent.csv")["seed"]) == {0, 1}


def test_images_that_are_gone_leave_counts_and_say_so(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "runs/cameras", batches=1)
    folder = fake.write()
    for file in fake.files(0):
        Path(file).unlink()
    page = Path(write_report(imported_campaign(folder))).read_text(encoding="utf-8")
    assert "Images are gone: scenes are not known." in page
    assert pd.read_csv(folder / "sent.csv")["scenes"].isna().all()


def test_equal_images_share_a_scene_on_the_sheet(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "runs/cameras", batches=1, methods=("iqr",), truth=False)
    folder = fake.write()
    for file in fake.files(0):
        Image.new("RGB", (64, 48), (90, 120, 40)).save(file)
    section = section_of(folder)
    (sheet,) = section.sheets
    assert [len(scene) for scene in sheet.scenes] == [5]
    assert [frame.kind for frame in sheet.scenes[0]] == ["first", *["repeat"] * 4]
    assert [(part.kind, part.n_images) for part in sheet.parts] == [
        ("first", 1),
        ("repeat", 4),
        ("repeat-earlier", 0),
        ("empty", 0),
    ]


def test_a_long_run_counts_its_last_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.report.sent.MOST_IMAGES", 12)
    monkeypatch.setattr("backhaul.report.sent.MOST_OF_SHEET", 4)
    fake = FakeRun(tmp_path / "runs/cameras", pool=6, sent=6)
    section = section_of(fake.write())
    assert section.from_batch == 1
    assert {row[1].text for row in section.table.rows} == {"1", "2"}
    assert {sheet.left_out for sheet in section.sheets} == {8}
