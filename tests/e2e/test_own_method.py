"""Methods of a user's own: one that is edited, and one that fails and is mended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backhaul.values.artifacts import Artifact
from tasks.stage import stage

pytestmark = [pytest.mark.prefect, pytest.mark.train]

SMALLEST = """
class Smallest:
    def select(self, pool, bandwidth, *, rng):
        order = sorted(zip(pool.size_bytes, pool.image_id))
        return [image_id for _, image_id in order][: bandwidth.images]
"""
BROKEN = """
def choose(pool, bandwidth, rng):
    raise RuntimeError("no idea")
"""
MENDED = """
def choose(pool, bandwidth, rng):
    return sorted(pool.image_id)[:3]
"""


@dataclass(frozen=True)
class Mending:
    """A campaign of which one method failed, and the same once its source was mended."""

    failed: Any
    failed_run: Any
    page: str
    summary: Any
    mended: Any
    run: Any


@pytest.fixture(scope="module")
def mending(fixed: Any) -> Mending:
    place = fixed.place
    methods = ["own:Smallest", "broken:choose", "true-random"]
    place.config("mine", methods=methods, control=False, batches__count=1, parallel=2)
    (place.folder / "own.py").write_text(SMALLEST)
    (place.folder / "broken.py").write_text(BROKEN)
    failed = place.backhaul("run", "mine.yaml")
    run = place.run("mine")
    first = (run.json, (run.folder / "report.html").read_text(), run.summary)
    (place.folder / "own.py").write_text(f"# small files first\n{SMALLEST}")
    (place.folder / "broken.py").write_text(MENDED)
    return Mending(failed, *first, place.backhaul("run", "mine.yaml"), run)


def test_a_failing_method_leaves_the_others_alone(mending: Mending) -> None:
    assert mending.failed.code == 1
    assert mending.failed_run["state"] == "completed-with-failures"
    assert mending.failed_run["methods"] == {
        "Smallest": {"state": "completed", "error": None},
        "choose": {"state": "failed", "error": "RuntimeError: no idea"},
        "true-random": {"state": "completed", "error": None},
    }
    assert set(mending.summary["method"]) == {"init", "Smallest", "true-random"}
    assert "no idea" in mending.failed.err
    assert "no idea" in mending.page


def test_once_it_is_mended_only_what_is_missing_is_computed(mending: Mending) -> None:
    assert mending.mended.code == 0, mending.mended.err
    assert mending.run.json["state"] == "completed"
    assert set(mending.run.summary["method"]) == {"init", "Smallest", "choose", "true-random"}
    assert mending.run.computed(None, "init", "true-random") == set()
    assert {"sampling", "training", "evaluation"} <= mending.run.computed("choose")
    assert "inference" not in mending.run.computed("choose")
    assert len(mending.run.listed("choose0_sample_3.txt")) == 3


def test_an_edit_of_a_method_runs_its_sampling_again(mending: Mending) -> None:
    """What follows is cached all the same, since the edited method chose the same images."""
    assert mending.run.computed("Smallest") == {"sampling"}


def test_methods_of_different_campaigns_share_what_is_equal(
    mending: Mending, fixed: Any
) -> None:
    assert {t["stage"] for t in mending.failed_run["timings"] if t["method"] == "init"}
    of_init = [t for t in mending.failed_run["timings"] if t["method"] in (None, "init")]
    of_random = [t for t in mending.failed_run["timings"] if t["method"] == "true-random"]
    computed = {t["stage"] for t in of_init + of_random if not t["cached"]}
    assert computed <= {"batches", "evaluation"}  # one batch less: there is no next one
    name = "true-random0_sample_3.txt"
    assert mending.run.listed(name) == fixed.run.listed(name)


def test_a_stage_is_keyed_by_its_name_and_version_not_by_its_source() -> None:
    def first(table: Artifact, *, step: Any) -> Artifact:
        return table

    def second(table: Artifact, *, step: Any) -> Artifact:
        """A comment, and other code."""
        return table.model_copy()

    def key(function: Callable[..., Artifact], version: int) -> str:
        policy = stage("key-of-source", random=False, version=version)(function).policy
        return policy.key_of({"table": Artifact(uri="a", sha256="0" * 64), "step": None})

    assert key(first, 1) == key(second, 1) != key(first, 2)
