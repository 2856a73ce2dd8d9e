"""The conditions of a campaign's config: short forms, words and signs, and what is wrong."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from backhaul.campaign.claim import claim
from backhaul.campaign.configfile import load_config
from backhaul.campaign.triggers import MetricCondition, Trigger, described
from backhaul.cli.validate import validate
from backhaul.errors import InputError
from backhaul.storage.objects import replace
from tests.triggered import config_of

ROOT = Path(__file__).resolve().parents[3]
TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)
METRIC = {"kind": "metric", "of": "labelled", "name": "prec", "op": "lt", "value": 0.5}


def test_short_forms_mean_the_same_as_long_ones() -> None:
    short = {"all": [{"kind": "labelled", "images": 5}, {"any": ["hand", METRIC]}]}
    both = {"kind": "any", "conditions": [{"kind": "hand"}, METRIC]}
    long = {"kind": "all", "conditions": [{"kind": "labelled", "images": 5}, both]}
    assert TRIGGER.validate_python(short) == TRIGGER.validate_python(long)
    dumped = TRIGGER.dump_python(TRIGGER.validate_python(short), mode="json")
    assert TRIGGER.validate_python(dumped) == TRIGGER.validate_python(short)


@pytest.mark.parametrize(
    ("word", "sign"), [("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="), ("eq", "=")]
)
def test_an_operator_is_a_word_or_a_sign(word: str, sign: str) -> None:
    by_word, by_sign = (TRIGGER.validate_python({**METRIC, "op": op}) for op in (word, sign))
    assert isinstance(by_word, MetricCondition)
    assert by_word == by_sign
    assert by_word.op == word


def test_metrics_have_their_usual_names_too() -> None:
    names = {"precision": "prec", "recall": "recall", "f1": "F1", "mAP50": "mAP50"}
    for given, kept in names.items():
        assert TRIGGER.validate_python({**METRIC, "name": given}).name == kept


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"all": []}, "triggers.all"),
        ({**METRIC, "value": float("nan")}, "triggers.value: Input should be a finite number"),
        ({**METRIC, "value": float("inf")}, "triggers.value: Input should be a finite number"),
        (
            {**METRIC, "value": None, "change": float("-inf")},
            "triggers.change: Input should be a finite number",
        ),
        (
            {"kind": "drift", "above": float("inf")},
            "triggers.above: Input should be a finite number",
        ),
        ({"kind": "labelled", "images": 0}, "triggers.images: Input should be greater"),
        ({"kind": "window", "hours": "25:00-06:00"}, "triggers.hours: expected hours as"),
        ({"kind": "window", "hours": "06:00-06:00"}, "is no time at all"),
        ({"kind": "window", "hours": "1:00-06:00"}, "expected hours as"),
        (
            {"kind": "window", "hours": "22:00-06:00", "timezone": "Mars/Olympus"},
            "triggers.timezone: expected a time zone",
        ),
        ({"any": [{"kind": "window", "hours": "x"}]}, "triggers.any.0.hours: expected hours"),
        ({**METRIC, "change": 0.1}, "triggers: expected either value or change"),
        ({**METRIC, "value": None}, "triggers: expected either value or change"),
        ({**METRIC, "of": "explored", "name": "mAP50"}, "expected prec, recall, F1 as name"),
        ({**METRIC, "op": "!="}, "triggers.op: Input should be 'gt', 'ge'"),
        ({"kind": "moon"}, "triggers: 'moon' is none of window, labelled, bytes, drift"),
        ({"hours": "22:00-06:00"}, "triggers.kind: is missing"),
        ({"kind": "hand", "images": 5}, "triggers.images: is no key of a campaign"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(
    trigger: dict[str, Any], said: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path.as_posix()).model_dump(mode="json") | {"triggers": trigger}
    path = tmp_path / "edge.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_triggers_are_of_an_inbox_alone(tmp_path: Path) -> None:
    digits = {"kind": "digits"}
    with pytest.raises(ValidationError, match="triggers: are asked hour by hour"):
        config_of(tmp_path.as_posix(), data=digits, triggers={"kind": "hand"})


def test_a_run_may_change_its_triggers(tmp_path: Path) -> None:
    """They say when it is played, not what comes of it."""
    claim(config_of(tmp_path.as_posix()))
    files = claim(config_of(tmp_path.as_posix(), triggers={"kind": "hand"}))
    replace(files.beginning, b"{}")
    claim(config_of(tmp_path.as_posix(), triggers={"kind": "bytes", "bytes": 5}))
    claim(config_of(tmp_path.as_posix()))


@pytest.mark.parametrize("name", ["hourly", "arrived"])
def test_the_example_of_a_config_is_valid(name: str) -> None:
    """It is commented out there."""
    lines = (ROOT / "configs" / f"{name}.yaml").read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("# triggers:"))
    block = list(takewhile(lambda line: line.startswith("# "), lines[first:]))
    read = yaml.safe_load("\n".join(line.removeprefix("# ") for line in block))
    assert described(TRIGGER.validate_python(read["triggers"])) in (
        "any of (window, bytes)",
        "all of (labelled, any of (drift, metric))",
    )


def test_validate_says_what_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(tmp_path.as_posix(), triggers={"any": ["hand", METRIC]})
    path = tmp_path / "edge.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    validate(path, quick=True)
    assert "  triggers   any of (hand, metric)" in capsys.readouterr().out
