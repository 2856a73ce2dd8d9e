"""A labelling service in the config of a run, and of one stored before there were any."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from backhaul.campaign.claim import what_differs
from backhaul.campaign.config import CampaignConfig
from backhaul.data.annotation import LabelStudioAnnotation, annotation_in
from backhaul.errors import InputError

URL = "http://labels.example:8080"
CONFIG: dict[str, Any] = {
    "name": "edge",
    "data": {"kind": "inbox"},
    "initial": {"data": {"kind": "folder", "root": "x"}, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 8, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 4},
    "methods": ["iqr"],
}


def config(**annotation: object) -> CampaignConfig:
    data = {"kind": "inbox", "annotation": annotation or None}
    return CampaignConfig.model_validate(CONFIG | {"data": data})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": URL, "block": "labels"},
        {"url": "ftp://x"},
        {"url": "http://user:password@x"},
        {"url": URL, "key_variable": "A KEY"},
        {"url": URL, "annotators": 0},
    ],
)
def test_a_service_without_one_place_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LabelStudioAnnotation.model_validate(given)


def test_a_run_may_get_a_service_later_and_another_one() -> None:
    before = json.loads(CampaignConfig.model_validate(CONFIG).model_dump_json())
    del before["data"]["annotation"]  # as an earlier version stored it
    assert what_differs(before, config(url=URL, annotators=2)) == ""
    assert annotation_in(before) is None
    stored = json.loads(config(url=URL, annotators=2).model_dump_json())
    assert what_differs(stored, config(block="labels")) == ""
    found = annotation_in(stored)
    assert found is not None
    assert (found.url, found.annotators) == (URL, 2)


def test_a_stored_service_that_cannot_be_understood_is_named() -> None:
    with pytest.raises(InputError, match=r"data\.annotation"):
        annotation_in({"data": {"annotation": {"kind": "tea-leaves"}}})
