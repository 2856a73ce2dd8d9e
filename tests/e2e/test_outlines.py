"""A campaign on labels of which some are outlines, through all its stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backhaul.campaign.config import CampaignConfig
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from tests.campaigns import IDLE

pytestmark = [pytest.mark.prefect, pytest.mark.train]

TILES = """
def tiles(path, detections, side):
    return [(x, y, x + side, y + side) for x in (0, side) for y in (0, side)]
"""


def outline(line: str) -> str:
    """Return the line of a box as the outline with its corners."""
    class_id, *numbers = line.split()
    cx, cy, w, h = map(float, numbers)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * (w, h) + (cx, cy)
    return " ".join([class_id, *map(repr, np.clip(corners, 0, 1).ravel().tolist())])


def test_a_campaign_runs_on_outlines(
    prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.campaign import campaign

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tiles_of_outlines.py").write_text(TILES)
    write_scenes(tmp_path / "scenes", DigitsData(kind="digits", images=44, size_px=48))
    for number, path in enumerate(sorted((tmp_path / "scenes/labels").glob("*.txt"))):
        lines = path.read_text().splitlines()
        if number % 2:
            path.write_text("\n".join(map(outline, lines)))
    config = CampaignConfig.model_validate(
        {
            **IDLE,
            "name": "outlines",
            "store": str(tmp_path / "store"),
            "data": {"kind": "folder", "root": str(tmp_path / "scenes")},
            "augmentation": {"images_per_class": 12, "major": True},
            "cropping": {
                "batches": "first",
                "conf_thres": 0.0,
                "min_visibility": 0.25,
                "function": {"use": "tiles_of_outlines:tiles", "params": {"side": 24}},
            },
        }
    )
    state = campaign(config, return_state=True)
    assert state.is_completed(), state.message
