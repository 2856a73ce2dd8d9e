"""Sampling methods. To add one: write its class, then list it in `Method`."""

from typing import Annotated, Any, TypeAlias, get_args

from pydantic import BeforeValidator, Field

from backhaul.sampling.arrived import ArrivedSampling
from backhaul.sampling.auto import AutoSampling
from backhaul.sampling.balanced import RareFirstSampling
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.bins import BinNormalSampling, BinQuintileSampling, BinSampling
from backhaul.sampling.control import NoNewData
from backhaul.sampling.density import MidNormalSampling, NormalSampling, ProbabilitySampling
from backhaul.sampling.diverse import DiverseSampling, DSbadSampling
from backhaul.sampling.filtered import HardExampleSampling
from backhaul.sampling.frames import EveryNthSampling
from backhaul.sampling.interval import (
    InRangeSampling,
    IqrSampling,
    MedianBelowThreshSampling,
    MedianThreshSampling,
    MidBelowThreshSampling,
    MidThreshSampling,
    RandomSampling,
    TrueRandomSampling,
)
from backhaul.sampling.listed import ListedSampling
from backhaul.sampling.ppal import PpalSampling
from backhaul.sampling.ranked import UtilitySampling
from backhaul.sampling.spread import KCenterSampling, TypicalitySampling
from backhaul.sampling.user import UserSampling
from backhaul.sampling.utilities import UtilityName


def as_mapping(value: Any) -> Any:
    """Return a method given by its name as a mapping with ``kind``, another as it is."""
    if not isinstance(value, str):
        return value
    if ":" in value:
        return {"kind": "user", "code": value}
    if value in get_args(UtilityName):
        return {"kind": "utility", "utility": value}
    return {"kind": value}


Method: TypeAlias = Annotated[
    RandomSampling
    | TrueRandomSampling
    | MedianThreshSampling
    | MedianBelowThreshSampling
    | MidThreshSampling
    | MidBelowThreshSampling
    | IqrSampling
    | InRangeSampling
    | NormalSampling
    | MidNormalSampling
    | ProbabilitySampling
    | BinQuintileSampling
    | BinNormalSampling
    | BinSampling
    | UtilitySampling
    | HardExampleSampling
    | RareFirstSampling
    | EveryNthSampling
    | KCenterSampling
    | TypicalitySampling
    | DiverseSampling
    | DSbadSampling
    | PpalSampling
    | AutoSampling
    | ListedSampling
    | ArrivedSampling
    | UserSampling
    | NoNewData,
    Field(discriminator="kind"),
    BeforeValidator(as_mapping),
]
"""A method as configs name it: ``iqr``, ``my_module:MyMethod``, or a mapping with ``kind``.

The name of a utility is short for the method that ranks images by it.
"""

__all__ = [
    "ArrivedSampling",
    "AutoSampling",
    "BinNormalSampling",
    "BinQuintileSampling",
    "BinSampling",
    "DSbadSampling",
    "DiverseSampling",
    "EveryNthSampling",
    "HardExampleSampling",
    "InRangeSampling",
    "IqrSampling",
    "KCenterSampling",
    "ListedSampling",
    "MedianBelowThreshSampling",
    "MedianThreshSampling",
    "Method",
    "MidBelowThreshSampling",
    "MidNormalSampling",
    "MidThreshSampling",
    "NoNewData",
    "NormalSampling",
    "PpalSampling",
    "ProbabilitySampling",
    "RandomSampling",
    "RareFirstSampling",
    "SamplingMethod",
    "TrueRandomSampling",
    "TypicalitySampling",
    "UserSampling",
    "UtilitySampling",
    "as_mapping",
]
