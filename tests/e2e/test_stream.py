"""A campaign on a stream of digits, with a detector that is the same on every machine."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]

STREAM = {
    "kind": "stream",
    "of": {"kind": "digits", "size_px": 64},
    "frames": 24,
    "initial": 16,
    "test": 20,
}


def test_a_campaign_on_a_stream(fixed: Any, in_process: Any) -> None:
    config = fixed.place.config(
        "stream", data=STREAM, methods=["true-random"], control=False, seed=3
    )
    planned = fixed.place.backhaul("plan", str(config))
    assert planned.code == 0, planned.err
    assert fixed.place.backhaul("validate", str(config)).code == 0
    state = in_process(config)
    assert state.is_completed(), state.message
    run = fixed.place.run("stream")
    assert set(run.summary["batch"].dropna()) >= {0, 1}
    for batch in (0, 1):
        sent = run.listed(f"true-random{batch}_sample_{3 + batch}.txt")
        assert set(sent) < set(run.listed(f"sample{batch}.txt"))
    assert [n for n in run.listed("holdout.txt") if "_test_" not in n] == []
    first, second = (run.listed(f"sample{batch}.txt") for batch in (0, 1))
    assert sorted(first + second) == first + second
    sent = pd.read_csv(run.folder / "sent.csv")
    assert sent["batch"].tolist() == [0, 1]
    counted = sent[["scenes", "repeats", "repeats_earlier", "empty"]].sum(axis=1)
    assert counted.tolist() == sent["images"].tolist()
    assert set(sent["scenes_by"]) == {"name"}
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Which frames show one scene is known of the stream" in report
    assert report.count('class="frame is-') == sent["images"].sum()
    place = next((fixed.place.folder / ".backhaul" / "data").glob("stream-*"))
    checked = fixed.place.backhaul("data", "check", str(place))
    assert checked.code == 0
    assert "0 errors, 0 warnings, 0 notes" in checked.out
    page = Path(fixed.place.folder) / "seen"
    assert fixed.place.backhaul("data", "view", str(place), "--out", str(page)).code == 0
    assert (page / "index.html").exists()
    pruned = fixed.place.backhaul("store", "prune")
    assert pruned.code == 0, pruned.err
    assert len(list(place.glob("images/*"))) == 60
