"""Whether a wished gain is still to be expected, of rounds whose result is known."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from backhaul.analysis.futility import futility, outlooks, verdicts
from backhaul.analysis.png import draw
from backhaul.campaign.claim import what_differs, without_resources
from backhaul.campaign.config import CampaignConfig
from backhaul.measure.settings import Futility
from tests.campaigns import IDLE

WISHED = Futility(gain=0.02)


def summary(gains: dict[str, list[float]], seed: int = 0) -> pd.DataFrame:
    """Return rows of a run in which chance has .5 after every batch."""
    n = max(map(len, gains.values()))
    scores = {"init": [0.4], "true-random": [0.5] * n, "no-new-data": [0.9] * n}
    scores |= {method: [0.5 + gain for gain in found] for method, found in gains.items()}
    rows = [
        (method, None if method == "init" else batch, "common", score, seed)
        for method, found in scores.items()
        for batch, score in enumerate(found)
    ]
    columns = ["method", "batch", "test_set", "mAP50", "seed"]
    table = pd.DataFrame(rows, columns=columns).astype({"batch": "Int64"})
    return pd.concat([table, table.assign(test_set="old_test", mAP50=0.0)])


def noisy(mean: float, n: int) -> list[float]:
    return [mean + 0.01 * (-1) ** k for k in range(n)]


def test_no_gain_for_long_is_out_of_reach_and_a_gain_is_better() -> None:
    table = summary({"iqr": noisy(-0.01, 24), "bin": noisy(0.06, 24), "ranked": noisy(0.0, 4)})
    finding = futility(table, WISHED)
    assert finding is not None
    assert verdicts(finding) == {"iqr": "out of reach", "bin": "better", "ranked": "open"}
    assert (
        "iqr: -0.010 over true-random after 24 rounds, and a gain of +0.02 is out of reach "
        "with 95 % confidence" in finding.note
    )
    assert "bin: +0.060 over true-random after 24 rounds, better with" in finding.note
    assert "ranked: +0.000 over true-random after 4 rounds, needs about " in finding.note
    rows = {row["method"]: row for row in finding.table.to_dict("records")}
    assert rows["iqr"]["mean gain"] == pytest.approx(-0.01)
    assert rows["ranked"]["more rounds"] > 5
    draw(finding)


def test_it_is_said_in_one_sentence_if_no_method_reaches_it() -> None:
    finding = futility(summary({"iqr": noisy(-0.02, 30), "bin": noisy(-0.03, 30)}), WISHED)
    assert finding is not None
    assert finding.note == (
        "No method reaches +0.02 over true-random with 95 % confidence, after 30 rounds."
    )


def test_what_was_out_of_reach_once_stays_so() -> None:
    found = outlooks(summary({"iqr": [*noisy(-0.02, 20), 0.3]}), WISHED)
    assert [each.verdict for each in found] == ["out of reach"]
    assert found[0].high[-1] > 0.02


def test_rounds_count_by_batch_seed_after_seed() -> None:
    both = pd.concat([summary({"iqr": [0.1, 0.2]}, 5), summary({"iqr": [0.4]}, 3)])
    (found,) = outlooks(both.sample(frac=1, random_state=1).sort_values("seed"), WISHED)
    np.testing.assert_allclose(found.mean, [0.4, 0.25, 0.7 / 3])
    (found,) = outlooks(both, WISHED)
    np.testing.assert_allclose(found.mean, [0.1, 0.15, 0.7 / 3])


def test_only_rounds_that_both_have_count() -> None:
    table = summary({"iqr": [0.1, 0.2, 0.3]})
    table = table[~((table["method"] == "true-random") & (table["batch"] == 1))]
    (found,) = outlooks(table, WISHED)
    np.testing.assert_allclose(found.mean, [0.1, 0.2])
    assert futility(table[table["method"] != "true-random"], WISHED) is None
    assert futility(table[table["method"] == "init"], WISHED) is None


def config(**changes: object) -> CampaignConfig:
    methods = ["iqr", "true-random"]
    return CampaignConfig.model_validate({**IDLE, "methods": methods, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"futility": {}, "methods": ["iqr"]}, "futility.baseline: 'true-random' is none of"),
        ({"futility": {}, "methods": ["true-random"]}, "expected a method beside its baseline"),
        ({"futility": {"gain": 0}}, "greater than 0"),
    ],
)
def test_a_wish_without_a_baseline_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        config(**changes)


def test_a_run_is_the_same_with_and_without_a_wish() -> None:
    plain, wishing = config(), config(futility={"gain": 0.03})
    assert what_differs(plain.model_dump(mode="json"), wishing) == ""
    assert "futility" not in without_resources(wishing.model_dump(mode="json"))
