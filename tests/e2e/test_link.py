"""A campaign over a thin link: two cameras with a rule of images, and models that come down."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]

RULE, WINDOW_S = 2, 3_600
LINK: dict[str, Any] = {
    "uplink_kbit_s": 8,
    "downlink_kbit_s": 4,
    "latency_s": 0.5,
    "overhead_bytes": 100,
    "window_s": WINDOW_S,
    "begins_hour": 22,
    "hours": ["22:00-06:00"],
    "allowances": [{"period": "hour", "images": RULE, "carry_over": 1}],
    "model_bytes": 2_000_000,
}
MODEL_S = 2_000_100 * 8 / 4_000 + 0.5


@pytest.fixture(scope="module")
def linked(new_place: Callable[[str], Any]) -> Any:
    """A place in which the campaign was run once, by the command."""
    place = new_place("linked")
    scenes = {"kind": "digits", "size_px": 64}
    place.config(
        "thin",
        data={
            "kind": "stream",
            "of": scenes,
            "frames": 24,
            "initial": 16,
            "test": 8,
            "nodes": 2,
        },
        batches={
            "sampling_batch": 12,
            "count": 2,
            "order": "capture",
            "train": 0.5,
            "valid": 0.25,
        },
        bandwidth={"per_node": True, "link": LINK},
        methods=["true-random"],
        augmentation={},
    )
    ended = place.backhaul("run", "thin.yaml")
    assert ended.code == 0, ended.err
    return place


def rows(place: Any, method: str) -> pd.DataFrame:
    """Return the rows of a method on the common test set, batch after batch."""
    summary: pd.DataFrame = place.run("thin").summary
    found = summary[(summary["method"] == method) & (summary["test_set"] == "common")]
    return found.sort_values("batch").reset_index(drop=True)


def test_each_camera_sends_what_its_link_lets_it(linked: Any) -> None:
    """The model takes over an hour, so a window goes by, and its images are carried over."""
    sent = rows(linked, "true-random")
    assert sent["images_sent"].tolist() == [2 * RULE, 2 * 2 * RULE]
    whole = sent["bytes_sent"] + 100 * sent["images_sent"]
    assert sent["wire_bytes"].tolist() == whole.tolist()
    assert sent["link_busy_s"].tolist() == pytest.approx((whole * 8 / 8_000).tolist())
    assert sent["images_late"].eq(0).all()
    assert sent["model_bytes"].eq(2 * 2_000_100).all()
    assert (sent["model_s"] - sent["last_arrival_s"]).tolist() == pytest.approx([MODEL_S] * 2)
    assert sent["round_s"].eq(2 * WINDOW_S).all()


def test_the_control_arm_gets_models_and_sends_nothing(linked: Any) -> None:
    control = rows(linked, "no-new-data")
    assert control["wire_bytes"].eq(0).all()
    assert control["model_s"].tolist() == pytest.approx([MODEL_S] * 2)


def test_each_image_says_from_where_and_when_it_came(linked: Any) -> None:
    for batch in (0, 1):
        file = linked.run("thin").folder / f"output/true-random{batch}_selection.csv"
        table = pd.read_csv(file)
        assert table.groupby("node").size().to_dict() == dict.fromkeys(
            ("cam00", "cam01"), RULE * (batch + 1)
        )
        assert all(
            node in name for node, name in zip(table["node"], table["file"], strict=True)
        )
        assert table["arrived_s"].between(0.5, WINDOW_S).all()
        for _, own in table.groupby("node"):
            assert own["arrived_s"].is_monotonic_increasing


def test_the_report_shows_it_and_plan_says_it_before(linked: Any) -> None:
    page = (linked.run("thin").folder / "report.html").read_text()
    assert '<h2 id="link-title">The link</h2>' in page
    assert "at most 2 images an hour, 1 carried over" in page
    plan = linked.backhaul("plan", "thin.yaml")
    assert plan.code == 0, plan.err
    told = " ".join(plan.out.split())
    assert "8 kbit/s, 22:00-06:00, at most 2 images an hour, 1 carried over:" in told
    assert "a new model of 2.0 MB takes 1:06:41 down" in told


def test_a_second_start_reckons_nothing_anew(linked: Any) -> None:
    ended = linked.backhaul("run", "thin.yaml")
    assert ended.code == 0, ended.err
    assert linked.run("thin").computed() == set()


def test_a_wrong_link_is_one_line(linked: Any) -> None:
    ended = linked.backhaul("validate", "thin.yaml", "--set", "bandwidth.link.hours=[now]")
    assert 'bandwidth.link.hours: expected hours as "22:00-06:00"' in ended.one_error()
