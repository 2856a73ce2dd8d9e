"""Hours on one machine by `backhaul hourly`: new images, none, late and missing labels."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.e2e.conftest import Ended, Place
from tests.e2e.edge import BATCH, Edge

pytestmark = [pytest.mark.prefect, pytest.mark.train]


KEPT = (".backhaul/objects", ".backhaul/runs")


class Site:
    """A site with a camera, and a person who runs the command once an hour."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.edge = Edge.begin(place.folder / "scenes", str(place.folder))
        self.config = place.folder / "edge.yaml"
        self.config.write_text(yaml.safe_dump(self.edge.config(str(place.folder))))
        self.run = place.folder / "runs" / "edge"
        self.records = place.folder / ".backhaul" / "runs" / "edge"

    def hour(self) -> Ended:
        return self.place.backhaul("hourly", self.config)

    @property
    def state(self) -> Any:
        return json.loads((self.records / "state.json").read_text())

    @property
    def played(self) -> list[int]:
        """The batches in the summary, each once."""
        summary = pd.read_csv(self.run / "summary.csv")
        common = summary[(summary["test_set"] == "common") & (summary["method"] == "iqr")]
        return [int(number) for number in common["batch"]]

    def sent(self, number: int) -> list[str]:
        [file] = (self.run / "output").glob(f"iqr{number}_sample_*.txt")
        return file.read_text().splitlines()

    def files(self) -> dict[str, tuple[int, int]]:
        """All that lies in the store, but for the log and what Prefect and leases write."""
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for folder in (
                "runs",
                "ingested",
                "inbox",
                "labels",
                ".backhaul/objects",
                ".backhaul/runs",
            )
            for path in (self.place.folder / folder).rglob("*")
            if path.is_file() and path.name != "log.txt"
        }


@pytest.fixture(scope="module")
def site(new_place: Callable[[str], Place]) -> Site:
    return Site(new_place("site"))


def test_hour_after_hour(site: Site) -> None:
    site.edge.drop("cam1", range(BATCH + 3))
    first = site.hour()
    assert first.code == 0, first.err
    assert site.played == [0]
    assert site.state["formed"] == 1
    assert len(site.sent(0)) == 4
    assert not list((site.place.folder / "inbox").rglob("*.png"))

    before = site.files()
    again = site.hour()
    assert "nothing to play, 1 batches so far" in again.out
    assert site.files() == before

    site.edge.drop("cam1", range(3))  # once more, by mistake
    site.edge.drop("cam2", range(BATCH + 3, 2 * BATCH), labelled=False)
    waits = site.hour()
    assert waits.code == 0, waits.err
    assert "AwaitingLabels" in waits.out
    assert site.played == [0]
    assert site.state["formed"] == 2
    missing = pd.read_csv(site.run / "to_label" / "iqr1.csv")
    assert list(missing.columns) == ["node", "name", "image", "labels"]
    assert set(missing["node"]) == {"cam2"}
    assert all(Path(image).is_file() for image in missing["image"])

    for number in range(BATCH + 3, 2 * BATCH):  # labels of those sent, and of some that are not
        file = f"{site.place.folder}/labels/cam2/{site.edge._files(16 + number)[1].name}"
        if file in set(missing["labels"]):
            site.edge.label("cam2", number)
    late = site.hour()
    assert late.code == 0, late.err
    assert site.played == [0, 1]
    assert not (site.run / "to_label" / "iqr1.csv").exists()
    assert site.state["batches"] == {}
    checkpoints, current = (
        pd.read_csv(site.run / f"{n}.csv") for n in ("checkpoints", "current")
    )
    assert list(checkpoints["batch"].dropna().unique()) == [0, 1]
    assert list(current["method"]) == ["init", "iqr"]
    assert current["uri"].isin(checkpoints["uri"]).all()
    images = [image for number in (0, 1) for image in site.sent(number)]
    assert len(set(images)) == len(images)


def test_what_was_played_is_not_planned_again(site: Site) -> None:
    done = site.place.backhaul("plan", site.config, "--json")
    assert done.code == 0, done.err
    [told] = json.loads(done.out)["plans"]
    assert (told["batches"], told["trainings"], told["rounds_cached"]) == (2, 0, 3)


def test_an_hour_that_was_killed_at_its_end_is_caught_up(site: Site) -> None:
    summary, classes = (site.run / name for name in ("summary.csv", "classes.csv"))
    whole = summary.read_bytes(), classes.read_bytes()
    continued = site.records / "continued" / "summary.csv"
    lines = continued.read_bytes().splitlines(keepends=True)
    part = b"".join(line for line in lines if not line.startswith(b"iqr,1,"))
    continued.write_bytes(part)
    summary.write_bytes(part)
    assert site.played == [0]
    assert "nothing to play" in site.hour().out
    assert (summary.read_bytes(), classes.read_bytes()) == whole


def test_the_page_of_a_run_that_goes_on(site: Site) -> None:
    of_the_hours = (site.run / "run.json").read_bytes()
    done = site.place.backhaul("report", "edge")
    assert done.code == 0, done.err
    assert (site.run / "run.json").read_bytes() == of_the_hours
    page = (site.run / "report.html").read_text()
    assert "iqr" in page
    assert json.loads(of_the_hours)["state"] == "completed"
    assert json.loads(of_the_hours)["batches_played"] == {"iqr": 2}
    assert "No training is recorded" not in page
    rounds = json.loads((site.run / "rounds.json").read_text())
    assert [training["batch"] for training in rounds["trainings"]] == [None, 0, 1]


def test_a_campaign_takes_no_inbox(site: Site) -> None:
    ended = site.place.backhaul("run", site.config)
    assert "is for the flow hourly" in ended.one_error()
