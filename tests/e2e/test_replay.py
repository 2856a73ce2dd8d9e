"""A campaign that chooses how many new images its retrainings have, and what it forgot."""

import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from backhaul.campaign.rounds import read_rounds

pytestmark = [pytest.mark.prefect, pytest.mark.train]

METHOD = "true-random"
CANDIDATES = (0.3, 1.0)
CHANGES: dict[str, Any] = {
    "methods": [METHOD],
    "mixing": {"retrain_new": "auto", "candidates": [*CANDIDATES], "trial_length": 0.5},
    "training__retrain_max_epochs": 2,
    "augmentation": {},
}


@pytest.fixture(scope="module")
def chosen(new_place: Callable[[str], Any]) -> Any:
    """The place of a campaign that was played."""
    place = new_place("replay")
    ended = place.backhaul("run", place.config("auto", **CHANGES))
    assert ended.code == 0, ended.err
    return place


def table_of(place: Any, batch: int) -> pd.DataFrame:
    return pd.read_csv(place.run("auto").folder / "output" / f"{METHOD}{batch}_proportion.csv")


def test_the_choice_is_in_table_log_record_and_report(chosen: Any) -> None:
    run = chosen.run("auto")
    told = [row for row in run.json["proportions"] if row["method"] == METHOD]
    assert len(told) == len(run.json["proportions"]) == 2 * len(CANDIDATES)
    log = (run.records / "log.txt").read_text()
    for batch in (0, 1):
        table = table_of(chosen, batch)
        assert table["retrain_new"].tolist() == [*CANDIDATES]
        (best,) = table.loc[table["chosen"], "retrain_new"]
        greatest = table.loc[table["mean"] == table["mean"].max(), "retrain_new"]
        assert best == greatest.min()
        assert f"chosen: retrain_new {best:g}" in log
        assert [row["chosen"] for row in told if row["batch"] == batch] == table[
            "chosen"
        ].tolist()
    records = {record.prefix: record for record in read_rounds(run.files)}
    assert records[f"{METHOD}0"].proportion is not None
    assert records["no-new-data0"].proportion is None  # it has nothing to choose
    assert "Fractions of new images that were tried" in (run.folder / "report.html").read_text()


def test_the_chosen_fraction_trains_as_the_same_one_in_a_config(chosen: Any) -> None:
    (best,) = (t.loc[t["chosen"], "retrain_new"].item() for t in [table_of(chosen, 0)])
    fixed = {**CHANGES, "mixing": {"retrain_new": best}, "batches__count": 1}
    ended = chosen.backhaul("run", chosen.config("fixed", **fixed))
    assert ended.code == 0, ended.err
    run = chosen.run("fixed")
    assert "training" not in run.computed(METHOD)
    assert "trial" not in {timing["stage"] for timing in run.json["timings"]}


def test_a_second_start_tries_nothing_again_and_the_plan_knows(chosen: Any) -> None:
    ended = chosen.backhaul("run", "auto.yaml")
    assert ended.code == 0, ended.err
    assert chosen.run("auto").computed() == set()
    (plan,) = json.loads(chosen.backhaul("plan", "auto.yaml", "--json").out)["plans"]
    assert (plan["trainings"], plan["trials"], plan["rounds_cached"]) == (0, 0, 5)
    ended = chosen.backhaul("validate", "auto.yaml", "--quick")
    assert "retrain_new of 0.3, 1, chosen at each batch by 2 trainings" in ended.out


def test_forgetting_by_the_command(chosen: Any) -> None:
    run = chosen.run("auto")
    asked = ("analyze", "forgetting", "auto", "--config", "auto.yaml", "--format", "csv")
    ended = chosen.backhaul(*asked)
    assert ended.code == 0, ended.err
    table: Any = pd.read_csv(run.folder / "analysis" / "forgetting.csv")
    table = table.set_index(["method", "batch"])
    summary: Any = run.summary.set_index(["method", "batch", "test_set"])["mAP50"]
    start = run.summary.query("method == 'init' and test_set == 'old_test'")["mAP50"].item()
    for (method, batch), row in table.iterrows():
        assert row["init"] == pytest.approx(summary[method, batch, "old_test"])
        if method != "no-new-data":
            own = summary[method, batch, "new_test"]
            assert row[f"batch{batch}_test"] == pytest.approx(own, nan_ok=True)
    changes = [table.loc[(METHOD, 1), "init"] - start]
    later, own = (table.loc[(METHOD, batch), "batch0_test"] for batch in (1, 0))
    changes += [] if math.isnan(later - own) else [later - own]
    assert table.loc[(METHOD, 1), "n_tests"] == len(changes)
    assert table.loc[(METHOD, 1), "backward_transfer"] == pytest.approx(
        sum(changes) / len(changes)
    )
    assert (run.folder / "analysis" / "forgetting.png").stat().st_size > 0
    assert "what later trainings did" in (run.folder / "report.html").read_text()
