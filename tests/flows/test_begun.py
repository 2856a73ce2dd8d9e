"""A run that goes on hour by hour, and whose beginning is started once more."""

from pathlib import Path

import pytest

from backhaul.campaign.config import CampaignConfig
from flows.initial_training import initial_training
from tests.e2e.edge import CONFIG

KEPT = ("beginning.json", "setting.json", "rounds/init.json", "rounds/iqr0.json")

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def test_what_its_hours_have_played_stays(tmp_path: Path) -> None:
    """Its data set may have grown since; what was played goes on from the first one."""
    store = tmp_path.as_posix()
    data = {"kind": "folder", "root": f"{store}/initial"}
    initial = {**CONFIG["initial"], "data": data}
    config = CampaignConfig.model_validate({**CONFIG, "store": store, "initial": initial})
    run = tmp_path / ".backhaul" / "runs" / config.name
    (run / "rounds").mkdir(parents=True)
    for name in KEPT:
        (run / name).write_text("as it was")
    state = initial_training(config, return_state=True)
    assert state.is_completed()
    assert "trained before" in (state.message or "")
    for name in KEPT:
        assert (run / name).read_text() == "as it was"
