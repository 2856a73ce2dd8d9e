"""Hours whose models a person approves, judged by frames that chance drew on a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import yaml

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import read_round
from backhaul.layout import RunFiles
from backhaul.node.policies import StreamPolicy
from backhaul.registry.overview import Registry, read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_value
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits
from tests.agents import play_node
from tests.e2e.conftest import Ended, Place
from tests.e2e.edge import CONFIG, N_INITIAL, Edge
from tests.own.graded_detector import write_truth

pytestmark = [pytest.mark.prefect, pytest.mark.train, pytest.mark.slow]

POLICY = StreamPolicy(name="own", utility="confidence", suppress=False, explore=0.4)
BATCH, N_FRAMES = 50, 100
GRADES = (0.3, 0.6, 0.9)
ARM = "arrived-own"


class Site:
    """A node that explores, home, an annotator who labels all, and a person who approves."""

    def __init__(self, place: Place) -> None:
        self.place = place
        n_scenes = N_INITIAL + N_FRAMES
        self.edge = Edge.begin(place.folder / "scenes", str(place.folder), images=n_scenes)
        write_truth(place.folder / "scenes", place.folder, 64)
        frames = sorted((place.folder / "scenes" / "images").iterdir())[N_INITIAL:]
        play_node("cam", place.folder, place.folder / "node", frames, (POLICY,))
        self.edge.label_sent("cam")
        self.config = place.folder / "edge.yaml"
        self.config.write_text(yaml.safe_dump(self._config()))
        self.files = RunFiles(str(place.folder), "edge")

    def _config(self) -> dict[str, Any]:
        params = {"grades": list(GRADES), "folder": str(self.place.folder)}
        detector = {"use": "graded_detector:Graded", "params": params}
        return self.edge.config(
            str(self.place.folder),
            batches={"sampling_batch": BATCH, "train": 0.5, "valid": 0.1},
            bandwidth={"images": 999},
            methods=[{"kind": "arrived", "policy": POLICY.name}],
            training={**CONFIG["training"], "detector": detector, "model": "graded"},
            publish={"method": ARM},
            accept={
                "kind": "gate",
                "compare": {"resamples": 300},
                "min_gain": -0.9,
                "approval": "manual",
            },
        )

    def hour(self) -> Ended:
        return self.place.backhaul("hourly", self.config)

    def round(self, number: int) -> RoundRecord:
        return read_round(self.files, f"{ARM}{number}")

    @property
    def registry(self) -> Registry:
        return read_registry(RegistryFiles(self.files))


@pytest.fixture(scope="module")
def site(new_place: Callable[[str], Place]) -> Site:
    return Site(new_place("approval"))


def test_an_hour_waits_for_a_person_and_the_next_goes_on(site: Site) -> None:
    first = site.hour()
    assert first.code == 0, first.err
    assert "AwaitingApproval" in first.out
    assert "backhaul models approve|reject edge@2" in first.out
    assert site.registry.history.aliases == {"champion": 1, "candidate": 2}
    assert "AwaitingApproval" in site.hour().out
    report = site.place.backhaul("report", "edge")
    assert report.code == 0, report.err
    done = site.place.backhaul("models", "approve", "edge@candidate", "--reason", "good")
    assert done.code == 0, done.err
    assert "edge@2: accepted" in done.out
    assert "edge@3" in site.hour().out
    done = site.place.backhaul("models", "reject", "edge@3", "--reason", "odd at night")
    assert done.code == 0, done.err
    assert "AwaitingApproval" not in site.hour().out
    assert site.registry.history.states == {1: "accepted", 2: "accepted", 3: "rejected"}
    rounds = [site.round(number) for number in range(2)]
    assert [each.verdict and each.verdict.ruling for each in rounds] == ["accepted", "rejected"]
    assert rounds[1].standing.current == rounds[0].standing.current
    summary = pd.read_csv(site.files.view.folder + "/summary.csv")
    common = summary[(summary["test_set"] == "common") & (summary["method"] == ARM)]
    assert common["verdict"].tolist() == ["accepted", "rejected"]


def test_frames_that_chance_drew_join_the_common_set_and_are_never_trained_on(
    site: Site,
) -> None:
    last = site.round(1).standing
    assert len(last.drawn) == 2
    drawn = pd.concat([read_value(pd.DataFrame, each.chances) for each in last.drawn])
    assert drawn["image_id"].is_unique
    assert drawn["probability"].between(0, 1, inclusive="right").all()
    images = [name for each in last.drawn for name in read_value(ImageSet, each.images).ids]
    assert images == drawn["image_id"].tolist()
    seen = read_value(Splits, last.seen)
    assert set(images) <= set(seen.test.ids)
    assert not set(images) & {*seen.train.ids, *seen.train.table["copy_of"], *seen.valid.ids}
    n_initial_test = len(read_value(ImageSet, read_setting(site)))
    n_compared = [site.registry.cards[version].measures["gain"].n for version in (2, 3)]
    n_drawn = [each.n_images for each in last.drawn]
    assert n_compared == [n_initial_test + n_drawn[0], n_initial_test + sum(n_drawn)]


def read_setting(site: Site) -> Any:
    from backhaul.campaign.runrecords import RunRecords

    return RunRecords(site.files).required_setting.common
