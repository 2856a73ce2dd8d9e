"""A proposal as a YAML file with a reason beside each choice."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import yaml

from backhaul.campaign.proposal.choice import Choice
from backhaul.untrusted import one_line

WIDTH = 96
_MOST = 4_000  # characters of a reason: it may name classes as they are


def campaign_file(choices: Sequence[Choice], head: Sequence[str]) -> str:
    """Return a campaign as YAML, each choice below its reason.

    Args:
        choices: Its fields; those of one part follow one another.
        head: Paragraphs at its top.
    """
    blocks = ["\n".join(line for text in head for line in _comment(text, ""))]
    for part, own in groupby(choices, key=lambda choice: choice.key.rpartition(".")[0]):
        indent = "  " if part else ""
        lines = [f"{part}:"] if part else []
        for choice in own:
            lines += _comment(choice.reason, indent)
            lines.append(f"{indent}{choice.key.rpartition('.')[2]}: {_value(choice.value)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    return [
        f"{indent}# {line}"
        for line in textwrap.wrap(one_line(text, _MOST), WIDTH - 2 - len(indent))
    ]


def _value(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
