"""What is wrong with a campaign, each with the key of the config that it concerns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError

Resolve: TypeAlias = Callable[[str], str]
"""Returns where an address is, with the keys of a block taken up."""

_KEYED = re.compile(r"([a-z_]+)(\.\w+)*: ")


@dataclass(frozen=True, slots=True)
class Fault:
    """What would end a campaign, or what a person should know before it starts.

    Args:
        key: Key of the config, dotted.
        text: What is wrong and what was expected.
        severity: Whether a campaign could not go on.
    """

    key: str
    text: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def faults_of(key: str, error: InputError) -> Iterator[Fault]:
    """Yield a fault for each line of an error, with the key that the line names, or `key`."""
    for line in str(error).splitlines():
        named = _KEYED.match(line)
        if named and named[1] in CampaignConfig.model_fields:
            place, _, text = line.partition(": ")
            yield Fault(place, text)
        else:
            yield Fault(key, line)
