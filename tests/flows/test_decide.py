"""The deployment by which a person decides of a version, and its form."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from prefect.utilities.callables import parameter_schema

from backhaul.errors import InputError
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from flows.decide import decide
from tests.versions import registered, unpacked_run

ROOT = Path(__file__).parents[2]


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
def test_a_flow_run_decides_in_its_own_name(tmp_path: Path) -> None:
    run = unpacked_run(tmp_path)
    files = registered(run)
    with pytest.raises(InputError, match="no such deployment: expected FLOW/DEPLOYMENT"):
        decide(run.view.folder, 3, "approve", "good", go_on="hourly/nowhere")
    assert history_of(read_log(files)).states[3] == "awaiting"
    with pytest.raises(InputError, match="expected the folder of a run"):
        decide(str(tmp_path), 3, "approve", "good")
    state = decide(run.view.folder, 3, "approve", "good", return_state=True)
    entry = history_of(read_log(files)).decided[3]
    assert (entry.kind, entry.by, entry.reason) == (
        "accepted",
        "flow run approve-version-3",
        "good",
    )
    assert state.message == (
        "finished@3: accepted by flow run approve-version-3; "
        "the next start of its run goes on from it"
    )


def test_its_form_offers_both_answers_and_asks_for_a_reason() -> None:
    schema = parameter_schema(decide)
    assert schema.properties["decision"]["enum"] == ["approve", "reject"]
    assert set(schema.required) == {"run", "version", "decision", "reason"}
    assert all(field.get("title") for field in schema.properties.values())
    [deployed] = [
        each
        for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        if each["name"] == "decide"
    ]
    assert set(deployed["parameters"]) < set(schema.properties)
