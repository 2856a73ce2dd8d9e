"""A wished gain while a campaign and hours go on: said in the log, on the page, and kept."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import yaml

from backhaul.analysis.futility import NAME, verdicts
from backhaul.campaign.finding import FINDING
from backhaul.layout import RunFiles
from tests.e2e.conftest import Place
from tests.e2e.edge import BATCH, Edge

pytestmark = pytest.mark.prefect

OUT_OF_REACH = {"gain": 0.9, "spread": 0.02}
"""A gain that nothing has, and a spread with which one round is enough to say so."""


def test_a_campaign_says_that_a_gain_is_out_of_reach(new_place: Callable[[str], Any]) -> None:
    place: Place = new_place("futile")
    config = place.config("tiny", futility=OUT_OF_REACH, control=False)
    ended = place.backhaul("run", config, "--plain")
    assert ended.code == 0, ended.err
    told = "No method reaches +0.9 over true-random with 95 % confidence, after"
    assert f"futility: {told} 2 rounds." in ended.out
    assert (
        ended.err.count(f"warning: iqr: futility: {told}")
        + ended.err.count(f"warning: true-random: futility: {told}")
        == ended.err.count(told)
        == 1
    )  # while it runs, once
    run = place.run("tiny")
    table = pd.read_csv(run.folder / "analysis" / "futility.csv")
    assert table[["method", "rounds", "verdict"]].to_numpy().tolist() == [
        ["iqr", 2, "out of reach"]
    ]
    assert f"{told} 2 rounds" in (run.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_run_can_wish_for_a_gain_later(new_place: Callable[[str], Any]) -> None:
    """It changes no result: the run is the same, and all of it comes from the cache."""
    place: Place = new_place("wishing")
    assert place.backhaul("run", place.config("tiny", control=False)).code == 0
    again = place.backhaul("run", place.config("tiny", control=False, futility={}))
    assert again.code == 0, again.err
    assert "iqr: " in again.out.partition("futility: ")[2]
    assert "after 2 rounds" in again.out
    assert place.run("tiny").computed() == set()


@pytest.mark.slow
def test_hours_say_so_too(new_place: Callable[[str], Any]) -> None:
    place: Place = new_place("futile-hours")
    edge = Edge.begin(place.folder / "scenes", str(place.folder))
    methods = [{"kind": "iqr"}, {"kind": "true-random", "label": "chance"}]
    wished = OUT_OF_REACH | {"baseline": "chance"}
    config = edge.config(str(place.folder), methods=methods, futility=wished)
    (place.folder / "edge.yaml").write_text(yaml.safe_dump(config))
    files = RunFiles(str(place.folder), "edge")
    for hour in (1, 2):
        edge.drop("cam1", range((hour - 1) * BATCH, hour * BATCH))
        ended = place.backhaul("hourly", "edge.yaml", "--plain")
        assert ended.code == 0, ended.err
        plural = "s" if hour > 1 else ""
        assert f"confidence, after {hour} round{plural}." in ended.out
        stored = FINDING.read(files.finding(NAME))
        assert stored is not None
        assert verdicts(stored.finding) == {"iqr": "out of reach"}
    assert "warning" not in ended.err  # it was told in the first hour
