"""JSON schemas from which Prefect's UI makes forms that a person can fill in.

The database sorts an object's keys by their length, so each field says its position. And a
form guesses which alternative of a union a value is from the names of its fields alone, then
adds the defaults of that guess; so alternatives that ``kind`` tells apart become one part with
all their fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema

from backhaul.campaign.config import CampaignConfig

Json: TypeAlias = dict[str, Any]
Owners: TypeAlias = Mapping[str, Json]
"""The schemas of one field, by the kinds that have it."""

KIND = "kind"
SHAPE = ("title", "type", "enum", "format", "items", "anyOf", "$ref", "properties")
"""What an input is made of; how a value is bounded is checked with its kind."""
NULL = {"type": "null"}
FEW = 5


def arrange(schema: Json) -> None:
    """Give each field of a model its position and a title, as a form shows them."""
    for position, (name, field) in enumerate(schema.get("properties", {}).items()):
        field["position"] = position
        field.setdefault("title", name.replace("_", " ").title())


class Form:
    """Annotates a parameter of a flow: its schema is one that a form can be made of."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema, with all schemas that it refers to arranged in place."""
        schema = handler(core_schema)
        _Arranging(handler).walk(schema)
        return schema


NO_FORM = WithJsonSchema({"type": "object"})
"""Annotates a parameter of a flow that only other flows call: nobody fills in a form of it, and
making one takes every process that imports the flow a fifth of a second."""

Config: TypeAlias = Annotated[CampaignConfig, Form()]
"""A campaign as the parameter of a flow."""


class _Arranging:
    """Arranges schemas in place, each once."""

    def __init__(self, handler: GetJsonSchemaHandler) -> None:
        self._handler = handler
        self._seen: set[int] = set()

    def walk(self, schema: Any) -> None:
        """Arrange a schema, and all that it consists of or refers to."""
        if isinstance(schema, list):
            for part in schema:
                self.walk(part)
        if not isinstance(schema, dict) or id(schema) in self._seen:
            return
        self._seen.add(id(schema))
        if "$ref" in schema:
            self.walk(self._handler.resolve_ref_schema({"$ref": schema["$ref"]}))
        for part in list(schema.values()):
            self.walk(part)
        if isinstance(schema.get("properties"), dict):
            arrange(schema)
        if "discriminator" in schema:
            self._make_one(schema)

    def _make_one(self, union: Json) -> None:
        """Make a union one object; what holds for a kind is checked if that is chosen."""
        references = union.pop("oneOf")
        del union["discriminator"]
        models = [self._handler.resolve_ref_schema(each) for each in references]
        kinds = [model["properties"][KIND]["const"] for model in models]
        union |= {
            "type": "object",
            "properties": self._properties(dict(zip(kinds, models, strict=True))),
            "required": [KIND],
            "dependentSchemas": {KIND: {"allOf": _conditions(kinds, references)}},
        }

    def _properties(self, models: Mapping[str, Json]) -> Json:
        chosen = {"title": "Kind", "type": "string", "enum": list(models)}
        if len(models) <= FEW:
            chosen["description"] = "; ".join(_summary(k, m) for k, m in models.items())
        fields = {name: field for name, field in self._fields(models).items() if name != KIND}
        properties: Json = {KIND: chosen, **fields}
        arrange({"properties": properties})
        return properties

    def _fields(self, models: Mapping[str, Json]) -> Json:
        """Return the fields that any of the models has, each once."""
        owners: dict[str, dict[str, Json]] = {}
        for kind, model in models.items():
            for name, field in model["properties"].items():
                owners.setdefault(name, {})[kind] = field
        return {name: self._merged(of_name, len(models)) for name, of_name in owners.items()}

    def _merged(self, owners: Owners, n_models: int) -> Json:
        """Return the field without its default, which would be added for kinds that lack it.

        It may be null if a kind lets it: so a config is sent whose fields are all given.
        """
        fields = [*owners.values()]
        field = next((each for each in fields if NULL in each.get("anyOf", ())), fields[0])
        shape = {key: field[key] for key in SHAPE if key in field}
        if len({each.get("$ref") for each in fields}) > 1:  # each is checked with its kind
            parts = {k: self._handler.resolve_ref_schema(each) for k, each in owners.items()}
            shape = {"type": "object", "properties": self._fields(parts)}
            arrange(shape)
        elif len(owners) < n_models:
            shape = self._without_defaults(shape)
        meaning = _meaning(owners, all_have_it=len(owners) == n_models)
        return _shown(shape, meaning + _usual(owners))

    def _without_defaults(self, shape: Json) -> Json:
        """Return a field, and parts below it, without defaults: a form would send those."""
        if "anyOf" in shape:
            either = [self._without_defaults(each) for each in shape["anyOf"]]
            return {**shape, "anyOf": either}
        if "$ref" not in shape:
            return shape
        model = self._handler.resolve_ref_schema(shape)
        if "properties" not in model:
            return shape
        part = {
            "title": shape.get("title", model.get("title", "")),
            "type": "object",
            "properties": {k: self._plain(each) for k, each in model["properties"].items()},
        }
        arrange(part)
        return part

    def _plain(self, field: Json) -> Json:
        """Return a field of a part without its default, which its description tells instead."""
        shape = self._without_defaults({key: field[key] for key in SHAPE if key in field})
        return _shown(shape, field.get("description", "") + _usual({"": field}))


def _shown(shape: Json, description: str) -> Json:
    """Return a field as a form shows it."""
    if shape.get("type") == "boolean":
        shape = {**shape, "enum": [True, False]}  # a switch looks off where nothing is chosen
    return {**shape, "description": description}


def _conditions(kinds: Sequence[str], references: Sequence[Json]) -> list[Json]:
    return [
        {"if": {"properties": {KIND: {"const": kind}}}, "then": reference}
        for kind, reference in zip(kinds, references, strict=True)
    ]


def _summary(kind: str, model: Json) -> str:
    first_line = model.get("description", "").split("\n")[0]
    return f"{kind} = {first_line.rstrip('.')}"


def _meaning(owners: Owners, *, all_have_it: bool) -> str:
    kinds_by_text: dict[str, list[str]] = {}
    for kind, field in owners.items():
        kinds_by_text.setdefault(field.get("description", ""), []).append(kind)
    if all_have_it or len(owners) > FEW:
        return next(iter(kinds_by_text))
    return "; ".join(f"{', '.join(kinds)}: {text}" for text, kinds in kinds_by_text.items())


def _usual(owners: Owners) -> str:
    """Return the note on the default of a field; empty if it needs none."""
    defaults = [field["default"] for field in owners.values() if "default" in field]
    given = [value for value in defaults if value not in (None, "")]
    if not given:
        return ""
    if any(value != given[0] for value in given):
        return "; empty = as usual for the kind"
    value = given[0] if isinstance(given[0], str) else json.dumps(given[0])
    return f"; empty = {value}"
