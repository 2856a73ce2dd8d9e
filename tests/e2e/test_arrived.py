"""From a node that chooses to retrained arms at home: what arrived, by two policies."""

from collections.abc import Callable

import pandas as pd
import pytest
import yaml

from backhaul.layout import run_at
from backhaul.node.policies import StreamPolicy
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits
from tests.agents import play_node
from tests.e2e.conftest import Place, Run
from tests.e2e.edge import N_INITIAL, Edge

pytestmark = [pytest.mark.prefect, pytest.mark.train]

POLICIES = (
    StreamPolicy(name="own", utility="confidence", suppress=False, explore=0.4),
    StreamPolicy(name="other", diversity="none", suppress=False, explore=0.4),
)
N_FRAMES = 100  # a frame a minute, in windows of an hour


class Site:
    """A node whose two policies take turns, home, and an annotator who labels all."""

    def __init__(self, place: Place) -> None:
        self.place = place
        n_scenes = N_INITIAL + N_FRAMES
        self.edge = Edge.begin(place.folder / "scenes", str(place.folder), images=n_scenes)
        frames = sorted((place.folder / "scenes" / "images").iterdir())[N_INITIAL:]
        self.played = play_node("cam", place.folder, place.folder / "node", frames, POLICIES)
        self.edge.label_sent("cam")
        methods = [{"kind": "arrived", "policy": policy.name} for policy in POLICIES]
        config = self.edge.config(str(place.folder), methods=methods, bandwidth={"images": 999})
        config["batches"] = {"sampling_batch": N_FRAMES, "train": 0.5, "valid": 0.25}
        self.config = place.folder / "edge.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.run = Run(place.folder / "runs" / "edge")


@pytest.fixture(scope="module")
def site(new_place: Callable[[str], Place]) -> Site:
    site = Site(new_place("arrived"))
    ended = site.place.backhaul("hourly", site.config)
    assert ended.code == 0, ended.err
    return site


def splits_of(site: Site, arm: str) -> Splits:
    files = run_at(str(site.run.folder))
    assert files is not None
    from backhaul.campaign.rounds import read_round

    record = read_round(files, f"{arm}0")
    assert record.new is not None
    return read_value(Splits, record.new)


def test_arms_are_retrained_on_equal_bytes_of_what_was_chosen(site: Site) -> None:
    at = site.played.agent.standing
    assert at.totals()["sent"] == N_FRAMES
    trained, drawn = {}, set[str]()
    for policy in POLICIES:
        arm = f"arrived-{policy.name}"
        [training] = [t for t in site.run.json["trainings"] if t["method"] == arm]
        assert training["epochs"] == 1
        selection = pd.read_csv(site.run.folder / "output" / f"{arm}0_selection.csv")
        assert selection["reason"].str.endswith(f" by {policy.name}").all()
        explored = set(selection["image_id"][selection["reason"].str.startswith("explored")])
        splits = splits_of(site, arm)
        assert not explored & set(splits.train.originals().ids)
        assert explored <= {*splits.valid.ids, *splits.test.ids}
        drawn |= explored  # in its first window a node draws few
        chosen = selection[~selection["image_id"].isin(explored)]
        trained[policy.name] = int(chosen["size_bytes"].sum())
    assert drawn
    most, least = max(trained.values()), min(trained.values())
    assert 0 < most - least < 0.1 * most  # the last image of the richer one does not fit


def test_the_tables_say_what_nodes_told(site: Site) -> None:
    summary = site.run.summary
    rows = summary[(summary["test_set"] == "common") & (summary["batch"] == 0)]
    assert set(rows["method"]) == {"arrived-own", "arrived-other"}
    assert rows["frames_seen"].sum() == N_FRAMES
    assert rows["samples_transfer_ratio"].between(0, 1.5).all()
    assert (rows["node_up_bytes"] > rows["frame_bytes_sent"]).all()
    assert (rows["explored_images"] > 9).all()
    assert rows["explored_recall"].between(0, 1).all()
    nodes = pd.read_csv(site.run.folder / "nodes.csv")
    assert set(nodes["policy"]) == {"own", "other"}
    assert set(nodes["model"]) == {"m1"}
    assert nodes["frames_sent"].sum() == N_FRAMES


@pytest.mark.slow
def test_the_page_says_it_too(site: Site) -> None:
    done = site.place.backhaul("report", "edge")
    assert done.code == 0, done.err
    page = (site.run.folder / "report.html").read_text()
    assert "What the nodes did" in page
    assert "frames seen" in page
    assert '<section id="fleet"' in page
    assert 'data-figure="fleet-frames"' in page


def test_a_second_hour_changes_nothing(site: Site) -> None:
    before = (site.run.folder / "summary.csv").read_bytes()
    again = site.place.backhaul("hourly", site.config)
    assert "nothing to play, 1 batches so far" in again.out
    assert (site.run.folder / "summary.csv").read_bytes() == before
