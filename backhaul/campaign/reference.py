"""Generate the reference config from the settings classes, so that it is never out of date.

python -m backhaul.campaign.reference > configs/reference.yaml
"""

from __future__ import annotations

import textwrap
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from backhaul.campaign.config import CampaignConfig
from backhaul.sampling import Method

WIDTH = 96
HEAD = """\
# Every field of a campaign: its meaning, unit and default.
# Written by `python -m backhaul.campaign.reference`; do not edit by hand.
# A field that is not written has its default. `<...>` stands for a value that must be given.
# Alternatives of a part are commented out; `kind` tells them apart.
"""


def reference() -> str:
    """Return the reference config as YAML, every field with its meaning and default."""
    return HEAD + "\n" + "\n".join(_fields(CampaignConfig))


def _fields(part: type[BaseModel]) -> list[str]:
    lines: list[str] = []
    for name, field in part.model_fields.items():
        lines += _field(name, field)
        if part is CampaignConfig:
            lines.append("")
    return lines


def _field(name: str, field: FieldInfo) -> list[str]:
    if name == "methods":
        return [*_comment(field.description), "methods:", *_indent(_methods())]
    parts = _parts(field.annotation)
    if not parts:
        return [*_comment(field.description, _bounds(field)), f"{name}: {_value(field)}"]
    first, *others = parts
    lines = [f"{name}:", *_indent(_fields(first))]
    for other in others:
        lines += _indent(["# or", *_comment(_summary(other)), *_commented(_fields(other))])
    if field.default is None:
        return [*_comment(field.description), f"{name}: null", *_commented(lines)]
    return [*_comment(field.description or _summary(first)), *lines]


def _methods() -> list[str]:
    union, *_ = get_args(Method)
    lines = []
    for method in get_args(union):
        fields = {n: f for n, f in method.model_fields.items() if n not in ("label", "digest")}
        lines += _comment(_summary(method))
        values = ", ".join(f"{name}: {_value(field)}" for name, field in fields.items())
        prefix = "- " if method.model_fields["kind"].default == "random" else "# - "
        lines.append(f"{prefix}{{{values}}}")
    label = _label_meaning(get_args(union)[0])
    return [*_comment(f"every method also takes label: {label}"), *lines]


def _label_meaning(method: type[BaseModel]) -> str:
    return method.model_fields["label"].description or ""


def _parts(annotation: Any) -> list[type[BaseModel]]:
    """Return the models among the types of a field; a model with a shorthand is not listed."""
    if isinstance(annotation, TypeAliasType):
        return _parts(annotation.__value__)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [part for option in get_args(annotation) for part in _parts(option)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if "use" in annotation.model_fields else [annotation]
    return []


def _value(field: FieldInfo) -> str:
    if field.is_required():
        return "<...>"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        default = default.model_dump(mode="json")
    if isinstance(default, tuple):
        default = list(default)
    text: str = yaml.safe_dump(default, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _bounds(field: FieldInfo) -> str:
    words = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "multiple_of": "a multiple of"}
    metadata = [*field.metadata, *_inner_metadata(field.annotation)]
    found = [
        f"{word} {getattr(rule, name):g}"
        for rule in metadata
        for name, word in words.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join(found)


def _inner_metadata(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for option in get_args(annotation):
        for item in getattr(option, "__metadata__", ()):
            found += item.metadata if isinstance(item, FieldInfo) else [item]
    return found


def _summary(part: type[BaseModel]) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]


def _comment(text: str | None, bounds: str = "") -> list[str]:
    whole = f"{text} ({bounds})" if text and bounds else text or bounds
    return [f"# {line}" for line in textwrap.wrap(whole, WIDTH - 8)]


def _commented(lines: list[str]) -> list[str]:
    return [f"# {line}".rstrip() for line in lines]


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else line for line in lines]


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - that is what it is for
