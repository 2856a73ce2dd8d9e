"""What became of one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """How one parameter of the earlier tool was translated.

    Args:
        key: The parameter.
        value: Its text; empty where it was missing.
        fate: ``mapped``, ``changed`` (it means something else here), ``refused`` (it cannot be
            honoured) or ``missing`` (the default of this tool holds).
        here: The fields it became, or the field whose default holds.
        why: What differs, or what to do.
    """

    key: str
    value: str
    fate: Literal["mapped", "changed", "refused", "missing"]
    here: str
    why: str = ""
