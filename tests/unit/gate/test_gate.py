"""What the rules of the gate say of a candidate."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.measure.gate import (
    compared_rules,
    export_rules,
    forgetting_rules,
    reason_of,
    require_classes,
    ruling,
)
from backhaul.measure.gateerror import YEAR_S, chance_of_any, expected_a_year
from backhaul.measure.gatesettings import ExportLimits, Floor, Gate
from backhaul.values.artifacts import Artifact
from backhaul.values.comparison import Comparison, Measure, Pair, Rule
from backhaul.values.results import NodeModel, Reevaluated, Remeasured
from tests.campaigns import IDLE

DAY_S = 86_400.0


def comparison(gain: float | None, bound: float | None, **classes: Pair) -> Comparison:
    return Comparison(
        metric="mAP50",
        candidate=Measure(value=0.6),
        basis=Measure(value=0.6 - (gain or 0)),
        gain=Measure(value=gain, n=300),
        bound=bound,
        n_fresh=0,
        classes=classes,
        old_test=Pair(candidate=0.5, basis=0.6, n=40),
    )


def broken(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.rule for rule in rules if not rule.passed]


@pytest.mark.parametrize(
    ("bound", "min_gain", "passes"),
    [
        (0.001, 0.0, True),
        (0.0, 0.0, False),
        (-0.01, 0.0, False),
        (-0.01, -0.02, True),
        (0.004, 0.005, False),
        (None, 0.0, False),
    ],
)
def test_the_lower_bound_decides(bound: float | None, min_gain: float, passes: bool) -> None:
    [rule] = compared_rules(comparison(0.03, bound), Gate(min_gain=min_gain))
    assert (rule.rule, rule.passed) == ("gain", passes)
    assert f"above {min_gain:g}" in rule.text


def test_floors_are_of_each_class() -> None:
    classes = {
        "car": Pair(candidate=0.7, basis=0.6, n=40),
        "bus": Pair(candidate=0.3, basis=0.2, n=9),
        "tram": Pair(candidate=None, basis=None, n=0),
    }
    gate = Gate(
        floors=tuple(
            Floor(name=name, ap50=least)
            for name, least in (("car", 0.7), ("bus", 0.4), ("tram", 0.1))
        )
    )
    rules = compared_rules(comparison(0.03, 0.01, **classes), gate)
    assert broken(rules) == ["floor: bus", "floor: tram"]
    assert reason_of(rules).startswith("floor: bus: AP50 0.300 of 9 objects; asked: at least")


def test_a_floor_is_of_a_class_that_there_is() -> None:
    gate = Gate(floors=(Floor(name="car", ap50=0.5), Floor(name="tram", ap50=0.5)))
    require_classes(gate, ("car", "tram"))
    with pytest.raises(InputError, match=r"accept\.floors: 'tram' is none of the classes: car"):
        require_classes(gate, ("car", "bus"))


def test_the_class_that_fell_most_is_named() -> None:
    classes = {
        "car": Pair(candidate=0.7, basis=0.6, n=40),
        "bus": Pair(candidate=0.3, basis=0.5, n=9),
    }
    found = comparison(0.03, 0.01, **classes)
    assert broken(compared_rules(found, Gate(class_drop=0.1))) == ["class drop"]
    assert "bus fell most" in reason_of(compared_rules(found, Gate(class_drop=0.1)))
    assert not broken(compared_rules(found, Gate(class_drop=0.25)))


@pytest.mark.parametrize(
    ("best", "limit", "passes"), [(None, 0.1, True), (0.65, 0.1, False), (0.55, 0.05, False)]
)
def test_forgetting_is_measured_from_the_best_champion(
    best: float | None, limit: float, passes: bool
) -> None:
    found = comparison(0.03, 0.01)
    [rule] = forgetting_rules(found.old_test, best, Gate(forgetting=limit))
    assert rule.passed == passes
    assert forgetting_rules(found.old_test, best, Gate(forgetting=None)) == ()


def test_limits_of_the_export() -> None:
    artifact = Artifact(uri="/a", sha256="a" * 64)
    model = NodeModel(
        file=artifact, size_bytes=5_000, img_size=96, epochs=(1,), calibration=None, versions={}
    )
    measured = Reevaluated(
        checkpoints=(Remeasured(epoch=1, map50_before=0.6, map50_after=0.57),),
        n_images=9,
        latency_p50_ms=3.0,
        latency_p95_ms=8.0,
    )
    tight = ExportLimits(max_drop=0.02, max_bytes=4_999, max_latency_ms=7.5)
    assert broken(export_rules(model, measured, tight)) == [
        "export: drop",
        "export: bytes",
        "export: latency",
    ]
    loose = ExportLimits(max_drop=0.03, max_bytes=5_000, max_latency_ms=8.0)
    assert not broken(export_rules(model, measured, loose))
    assert len(export_rules(model, measured, ExportLimits())) == 1


def test_a_person_is_asked_only_about_what_keeps_to_all_rules() -> None:
    good, bad = (Rule(rule="gain", passed=passed, text="t") for passed in (True, False))
    assert ruling([good], Gate()) == "accepted"
    assert ruling([good], Gate(approval="manual")) == "awaiting"
    assert ruling([good, bad], Gate(approval="manual")) == "rejected"


def test_the_error_of_many_rounds_is_known() -> None:
    assert chance_of_any(0.05, 1) == pytest.approx(0.05)
    assert chance_of_any(0.05, 2) == pytest.approx(1 - 0.95**2)
    daily = [k * DAY_S for k in range(11)]
    assert expected_a_year(0.025, daily) == pytest.approx(0.025 * YEAR_S / DAY_S)
    assert expected_a_year(0.025, [0.0, 60.0]) is None
    assert expected_a_year(0.025, []) is None


def config(**changes: Any) -> CampaignConfig:
    return CampaignConfig.model_validate(IDLE | changes)


def test_a_gate_needs_to_know_whose_models_it_is_for() -> None:
    assert config().accept.kind == "always"
    with pytest.raises(ValidationError, match=r"accept.kind gate: expected publish.method"):
        config(accept={"kind": "gate"})
    with pytest.raises(ValidationError, match=r"publish.export: expected one of Ultralytics"):
        config(publish={"method": "true-random", "export": {}})
    gated = config(accept={"kind": "gate"}, publish={"method": "true-random"})
    assert gated.accept == Gate()


@pytest.mark.parametrize(
    "wrong",
    [
        {"compare": {"alpha": 0}},
        {"compare": {"alpha": 0.5}},
        {"min_gain": 1},
        {"floors": [{"name": "a", "ap50": 2}]},
        {"compare": {"metric": "mAP"}},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(wrong)
