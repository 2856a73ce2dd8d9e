"""The streams that are committed, and where those that are made lie."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.campaign.config import CampaignConfig
from backhaul.data.made import Made, made_set
from backhaul.data.settings import StreamData

CONFIGS = Path(__file__).parents[3] / "configs" / "streams"
REST: dict[str, Any] = {"name": "a", "bandwidth": {"images": 9}, "methods": ["true-random"]}


@pytest.mark.parametrize("name", ["digits", "signs", "bccd", "parking"])
def test_each_is_part_of_a_campaign(name: str) -> None:
    text = (CONFIGS / f"{name}.yaml").read_text()
    config = CampaignConfig.model_validate(yaml.safe_load(text) | REST)
    assert "fixed before any sampling method was tried" in text
    if name != "parking":
        assert isinstance(config.data, StreamData)
        assert config.data.frames == 400
        assert config.data.empty == 0.2


def made(root: str, **given: Any) -> Made:
    data = StreamData.model_validate(
        {"of": {"kind": "digits"}, "frames": 4, "initial": 2, "test": 2, **given}
    )
    return made_set(data, 0, root)


def test_streams_lie_beside_the_scenes_of_the_demo(tmp_path: Path) -> None:
    place = made(str(tmp_path)).folder.root
    assert Path(place).parent == tmp_path / ".backhaul" / "data"
    assert Path(place).name.startswith("stream-")
    assert made(str(tmp_path), empty=0.5).folder.root != place


def test_a_default_that_is_written_out_is_the_same_stream() -> None:
    assert made("/s", bursts={"most": 16}, seed=0).folder == made("/s").folder
