"""The schema from which Prefect's UI makes the form of a campaign, and checks what it gets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.schema_tools import validate
from pydantic import TypeAdapter

from backhaul.campaign.config import CampaignConfig
from flows.forms import Config

SCHEMA = TypeAdapter(Config).json_schema()
MINIMAL: dict[str, Any] = {
    "name": "cars",
    "data": {"kind": "digits"},
    "bandwidth": {"images": 5},
    "methods": [{"kind": "iqr"}],
}


def complaints(**changes: Any) -> list[str]:
    """Return what Prefect has against a campaign."""
    return [error.message for error in validate({**MINIMAL, **changes}, SCHEMA)]


def models(schema: Any) -> Iterator[dict[str, Any]]:
    """Walk over the properties of all models and forms inside a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema["properties"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from models(part)


def unions() -> list[dict[str, Any]]:
    properties = SCHEMA["properties"]
    return [properties["data"], properties["methods"]["items"], properties["stopping"]]


def test_every_field_has_its_place_and_a_title() -> None:
    found = list(models(SCHEMA))
    assert len(found) > 30
    for properties in found:
        assert [field["position"] for field in properties.values()] == [*range(len(properties))]
        assert all(field["title"] for field in properties.values())
    assert list(SCHEMA["properties"])[:3] == ["name", "seed", "seeds"]


def test_no_part_is_a_box_for_json() -> None:
    for properties in models(SCHEMA):
        for name, field in properties.items():
            bare = field.get("type") == "object" and not field.get("properties")
            assert not bare or name == "params", name  # of code of one's own


def test_alternatives_are_one_form_without_defaults() -> None:
    for union in unions():
        kind, *fields = union["properties"].values()
        assert len(kind["enum"]) == len(set(kind["enum"])) > 2
        assert not [field for field in fields if "default" in field]
        assert all(field["description"] for field in fields)
        assert not {"oneOf", "anyOf"} & set(union)


def all_unions(schema: Any) -> Iterator[dict[str, Any]]:
    """Walk over all unions inside a schema that were made one form."""
    if isinstance(schema, dict):
        if "dependentSchemas" in schema:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from all_unions(part)


def defaults_in(field: Any) -> list[Any]:
    """Return the defaults that a form adds by itself below a field that nobody filled in."""
    if "$ref" in field:
        field = SCHEMA["$defs"][field["$ref"].rpartition("/")[2]]
    own = [field["default"]] if "default" in field else []
    parts = [*field.get("properties", {}).values(), *field.get("anyOf", [])]
    below = (defaults_in(each) for each in parts)
    return own + [value for values in below for value in values]


def test_a_form_sends_nothing_of_a_kind_that_is_not_chosen() -> None:
    found = list(all_unions(SCHEMA))
    assert len(found) > 3
    for union in found:
        rules = union["dependentSchemas"]["kind"]["allOf"]
        kinds = [SCHEMA["$defs"][r["then"]["$ref"].rpartition("/")[2]] for r in rules]
        for name, field in union["properties"].items():
            if not all(name in kind["properties"] for kind in kinds):
                assert defaults_in(field) == [], name


def test_a_form_tells_which_kind_a_field_is_for_and_what_empty_means() -> None:
    data, method, stopping = (union["properties"] for union in unions())
    assert data["images"]["description"] == "digits: number of scenes; empty = 420"
    assert method["low"]["description"] == "in-range: least confidence"
    assert method["stratify"]["description"].endswith("share; empty = as usual for the kind")
    assert method["stratify"]["enum"] == [True, False]
    assert stopping["strip_len"]["description"] == "up, pq: epochs of a strip; empty = 5"


@pytest.mark.parametrize(
    "kind", SCHEMA["properties"]["methods"]["items"]["properties"]["kind"]["enum"]
)
def test_what_holds_for_a_kind_is_checked_if_it_is_chosen(kind: str) -> None:
    said = complaints(methods=[{"kind": kind, "label": "a", "strip_len": 3}])
    assert "Additional properties are not allowed ('strip_len' was unexpected)" in said
    needed = [text for text in said if "required" in text]
    with_needed = {"in-range", "probability", "utility", "hard-example", "listed", "user"}
    assert bool(needed) == (kind in with_needed)


def test_the_schema_takes_what_the_config_takes() -> None:
    assert complaints() == []
    assert complaints(methods=[{"kind": "user", "code": "mine:Best"}]) == []
    assert complaints(labelling={"source": "mine:boxes"}) == []
    assert complaints(stopping={"kind": "user", "criterion": {"use": "mine:Stop"}}) == []
    assert complaints(data={"kind": "folder"}) == ["'root' is a required property"]
    assert complaints(stopping={"kind": "gl", "alpha": 0}) != []
    for name in ("quickstart", "bccd"):
        file = Path(__file__).parents[2] / "configs" / f"{name}.yaml"
        config = yaml.safe_load(file.read_text())
        dumped = CampaignConfig.model_validate({**config, "data": MINIMAL["data"]}).model_dump(
            mode="json"
        )
        assert complaints(**dumped) == []


def test_the_schema_takes_what_a_campaign_sends_on() -> None:
    given: dict[str, Any] = {
        "in-range": {"low": 0.2, "high": 0.9},
        "probability": {"density": {"mean": 0.5, "std": 0.2}},
        "bin": {"n_bins": 4},
        "utility": {"utility": "entropy"},
        "hard-example": {"filter": {"kind": "count", "more_than": 2}},
    }
    kinds = SCHEMA["properties"]["methods"]["items"]["properties"]["kind"]["enum"]
    own = {"listed", "user", "no-new-data"}  # files and code; the control arm is there anyway
    own |= {"arrived"}  # of an inbox alone
    methods = [{"kind": kind, **given.get(kind, {})} for kind in kinds if kind not in own]
    config = CampaignConfig.model_validate({**MINIMAL, "methods": methods})
    assert complaints(**config.model_dump(mode="json")) == []


@pytest.mark.parametrize("data", [{"kind": "inbox"}, {"kind": "folder", "root": "/cars"}])
def test_the_schema_takes_what_an_hour_and_a_campaign_send_on(data: dict[str, str]) -> None:
    """Also where two kinds have a field of one name and different parts."""
    initial = {**MINIMAL.get("initial", {}), "data": {"kind": "folder", "root": "/first"}}
    arrived = {"kind": "arrived", "policy": "own"}
    methods = [arrived] if data["kind"] == "inbox" else MINIMAL["methods"]
    given = {**MINIMAL, "data": data, "initial": initial, "methods": methods}
    config = CampaignConfig.model_validate(given)
    assert validate(config.model_dump(mode="json"), SCHEMA) == []


def test_the_schema_takes_a_tree_of_triggers_and_refuses_a_wrong_leaf() -> None:
    """Its schema refers to itself."""
    folder = {"kind": "folder", "root": "/first"}
    inbox: dict[str, Any] = {"data": {"kind": "inbox"}, "initial": {"data": folder}}
    leaf = {"kind": "labelled", "images": 5}
    tree = {"all": [{"kind": "window", "hours": "22:00-06:00"}, {"any": ["hand", leaf]}]}
    config = CampaignConfig.model_validate({**MINIMAL, **inbox, "triggers": tree})
    dumped = config.model_dump(mode="json")
    assert validate(dumped, SCHEMA) == []
    dumped["triggers"]["conditions"][1]["conditions"][1]["images"] = 0
    assert len(validate(dumped, SCHEMA)) == 1
