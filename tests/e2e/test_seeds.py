"""One campaign with several seeds."""

import shutil
from typing import Any

import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]


@pytest.fixture(scope="module")
def seeds(played: Any) -> Any:
    place = played.place
    config = place.config("both", seeds=[1, 2])
    ended = place.backhaul("run", config)
    assert ended.code == 0, ended.err
    return place.run("both"), ended


def test_each_seed_is_a_run_of_its_own(seeds: Any, played: Any) -> None:
    run, _ = seeds
    one, two = (type(run)(run.folder / f"seed{k}") for k in (1, 2))
    assert one.summary.equals(played.run.summary)
    assert not one.computed()  # the same campaign was played before, with that seed
    assert two.json["seed"] == 2
    assert one.listed("sample0.txt") != two.listed("sample0.txt")


def test_the_page_and_the_table_are_of_all_seeds(seeds: Any) -> None:
    run, ended = seeds
    assert "±" in ended.out
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert 'href="seed1/report.html"' in page
    assert 'href="seed2/report.html"' in page


def test_a_seed_is_added_later_by_its_own_name(seeds: Any, played: Any) -> None:
    place = played.place
    shutil.rmtree(place.folder / "runs" / "both" / "seed1")
    ended = place.backhaul("run", place.config("again", seed=1), "--name", "both/seed1")
    assert ended.code == 0, ended.err
    again = type(played.run)(place.folder / "runs" / "both" / "seed1")
    assert again.summary.equals(played.run.summary)


def test_a_seed_twice_is_refused(played: Any) -> None:
    config = played.place.config("twice", seeds=[1, 1])
    assert "a seed is given twice" in played.place.backhaul("validate", config).one_error()
