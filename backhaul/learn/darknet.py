"""Recognise the architecture that a Darknet ``.cfg`` file describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_text

Section: TypeAlias = tuple[str, dict[str, str]]

KNOWN: dict[str, dict[str, int]] = {
    "yolov3": {"convolutional": 75, "shortcut": 23, "upsample": 2, "maxpool": 0, "yolo": 3},
    "yolov3-spp": {"convolutional": 76, "shortcut": 23, "upsample": 2, "maxpool": 3, "yolo": 3},
    "yolov3-tiny": {"convolutional": 13, "shortcut": 0, "upsample": 1, "maxpool": 6, "yolo": 2},
}
"""Numbers of layers by kind (Redmon and Farhadi 2018, and the variants published with it)."""

ACTIVATIONS = {"leaky", "linear"}


def recognise(path: Path) -> str:
    """Return the name of the model that has the layers of a Darknet file.

    Only the layers count. Sizes, anchors and hyperparameters are of the config here.

    Raises:
        InputError: If the file cannot be read, or describes none of `KNOWN`.
    """
    sections = read_sections(path)
    layers = [(kind, options) for kind, options in sections if kind != "net"]
    counts = {name: sum(kind == name for kind, _ in layers) for name in KNOWN["yolov3"]}
    foreign = {kind for kind, _ in layers} - counts.keys() - {"route"}
    if foreign:
        raise InputError(f"{path}: is no YOLOv3: it has layers [{one_line(min(foreign))}]")
    activations = {options.get("activation", "linear") for _, options in layers}
    if strange := activations - ACTIVATIONS:
        raise InputError(f"{path}: is no YOLOv3: it has activations {one_line(min(strange))!r}")
    for name, expected in KNOWN.items():
        if counts == expected and _pools_fit(name, layers):
            return name
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    raise InputError(f"{path}: is none of {', '.join(KNOWN)}: it has {found} layers")


def _pools_fit(name: str, layers: list[Section]) -> bool:
    """Return whether spatial pyramid pooling is where it belongs, and only there."""
    pools = [options for kind, options in layers if kind == "maxpool"]
    kept = {p.get("size", "1") for p in pools if p.get("stride", "1") == "1"}
    return kept == {"yolov3": set(), "yolov3-spp": {"5", "9", "13"}, "yolov3-tiny": {"2"}}[name]


def read_sections(path: Path) -> list[Section]:
    """Return the sections of a Darknet file with their options, in order.

    Raises:
        InputError: If it cannot be read, or a line is no section and no option of one.
    """
    text = read_text(path)
    sections: list[Section] = []
    for number, line in _content(text):
        if header := re.fullmatch(r"\[(\w+)\]", line):
            kind = header[1].lower()
            sections.append(("net" if kind == "network" else kind, {}))
        elif "=" in line and sections:
            key, _, value = line.partition("=")
            sections[-1][1][key.strip()] = value.strip()
        else:
            raise InputError(f"{path}:{number}: expected [section] or key=value")
    if not sections:
        raise InputError(f"{path}: holds no layers")
    return sections


def _content(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        content = re.split(r"(?:^|\s)[#;]", line, maxsplit=1)[0].strip()
        if content:
            yield number, content
