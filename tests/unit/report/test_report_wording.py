import math

import pandas as pd
import pytest

from backhaul.report.tables import COMPARED
from backhaul.report.wording import (
    beyond_chance,
    duration,
    headline,
    number,
    plural,
    size,
)


def summary(**values: float) -> pd.DataFrame:
    """Build the first batch of 5 images and 12.3 kB a method on the common set."""
    rows = [
        (label.replace("_", "-"), None if label == "init" else 0, "common", 5, 12_300, v, v)
        for label, v in values.items()
    ]
    names = ["method", "batch", "test_set", "images_sent_total", "bytes_sent_total"]
    table = pd.DataFrame(rows, columns=[*names, "mAP50", "mAP50-95"]).assign(seed=3)
    others = [name for name in COMPARED if not name.startswith("gain_")]
    return table.reindex(columns=list(dict.fromkeys([*table.columns, *others])))


def test_headline_names_all_gains_and_the_single_seed() -> None:
    text = headline(
        summary(init=0.3, no_new_data=0.35, true_random=0.38, iqr=0.4), "true-random"
    )
    assert text == (
        "After 1 batch, iqr has the highest mAP50 on the common test set: 0.400 (+0.100 over "
        "the initial model; +0.050 over no-new-data (retrained on old data alone); +0.020 over "
        "true-random). It sent 5 images, 12.3 kB. All of this comes from one seed (3): the "
        "differences have no intervals, and small ones may be chance."
    )


def test_headline_hides_no_loss() -> None:
    text = headline(summary(init=0.5, no_new_data=0.45, iqr=0.4), "true-random")
    assert "-0.100 against the initial model" in text
    assert "-0.050 against no-new-data" in text
    assert "true-random" not in text


def test_headline_of_the_random_arm_does_not_compare_it_with_itself() -> None:
    text = headline(summary(init=0.3, true_random=0.4, iqr=0.3), "true-random")
    assert "true-random has the highest" in text
    assert "over true-random" not in text


def test_headline_calls_equal_equal() -> None:
    assert "equal to the initial model" in headline(
        summary(init=0.4, iqr=0.4001), "true-random"
    )


def test_headline_of_several_seeds_has_intervals() -> None:
    seeds = [
        summary(init=0.3, true_random=0.38 + d, iqr=0.4 + d).assign(seed=seed)
        for seed, d in enumerate((-0.01, 0.0, 0.01))
    ]
    text = headline(pd.concat(seeds, ignore_index=True), "true-random").replace("\xa0", " ")
    assert text == (
        "After 1 batch, iqr has the highest mean mAP50 on the common test set: 0.400 ± 0.025 "
        "(+0.100 ± 0.025 over the initial model; +0.020 ± 0.000 over true-random). It sent 5 "
        "images, 12.3 kB a seed. Means over 3 seeds (0, 1, 2); ± is half the width of the 95 % "
        "t-interval, and gains are paired by seed."
    )


def test_a_gain_is_beyond_chance_if_its_interval_excludes_zero() -> None:
    assert beyond_chance(0.02, 0.01) == "the interval excludes 0"
    assert beyond_chance(-0.02, 0.03) == "the interval includes 0"
    assert beyond_chance(0.02, math.nan) == "one seed: no interval"
    assert beyond_chance(math.nan, math.nan) == "not run"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (summary(init=0.3), "No method has finished a batch. The initial model reaches"),
        (summary(init=math.nan, iqr=math.nan), "nothing to rank"),
        (summary(), "Nothing has been evaluated"),
    ],
)
def test_headline_without_a_winner(table: pd.DataFrame, words: str) -> None:
    assert words in headline(table, "true-random")


def test_numbers_in_words() -> None:
    assert number(math.nan) == "-"
    assert number(0.12345) == "0.123"
    assert [size(n) for n in (0, 999, 1000, 999_999, 2.5e9)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1 MB",
        "2.5 GB",
    ]
    assert [duration(s) for s in (59.99, 3599.7, 86_400)] == ["60 s", "1 h 0 min", "24 h 0 min"]
    assert plural(1234, "class") == "1,234 classes"
