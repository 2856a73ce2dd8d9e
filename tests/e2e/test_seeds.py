"""One campaign with several seeds."""

import shutil
from typing import Any

import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]


SMALL = {"methods": ["true-random"], "control": False, "batches__count": 1}


@pytest.fixture(scope="module")
def alone(fixed: Any) -> Any:
    """The campaign with the first seed only."""
    ended = fixed.place.backhaul("run", fixed.place.config("alone", **SMALL))
    assert ended.code == 0, ended.err
    return fixed.place.run("alone")


@pytest.fixture(scope="module")
def seeds(fixed: Any, alone: Any) -> Any:
    place = fixed.place
    ended = place.backhaul("run", place.config("both", **SMALL, seeds=[1, 2]))
    assert ended.code == 0, ended.err
    return place.run("both"), ended


def test_each_seed_is_a_run_of_its_own(seeds: Any, alone: Any) -> None:
    run, _ = seeds
    one, two = (type(run)(run.folder / f"seed{k}") for k in (1, 2))
    assert one.summary.equals(alone.summary)
    assert not one.computed()  # the same campaign was run before, with that seed
    assert two.json["seed"] == 2
    assert one.listed("sample0.txt") != two.listed("sample0.txt")


def test_the_page_and_the_table_are_of_all_seeds(seeds: Any) -> None:
    run, ended = seeds
    assert "±" in ended.out
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert 'href="seed1/report.html"' in page
    assert 'href="seed2/report.html"' in page


def test_a_seed_is_added_later_by_its_own_name(seeds: Any, fixed: Any, alone: Any) -> None:
    place = fixed.place
    shutil.rmtree(place.folder / "runs" / "both" / "seed1")
    config = place.config("again", **SMALL, seed=1)
    ended = place.backhaul("run", config, "--name", "both/seed1")
    assert ended.code == 0, ended.err
    again = type(fixed.run)(place.folder / "runs" / "both" / "seed1")
    assert again.summary.equals(alone.summary)


def test_a_seed_twice_is_refused(fixed: Any) -> None:
    config = fixed.place.config("twice", seeds=[1, 1])
    assert "a seed is given twice" in fixed.place.backhaul("validate", config).one_error()
