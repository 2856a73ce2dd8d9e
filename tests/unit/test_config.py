import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.configfile import load_config, settle
from backhaul.campaign.reference import reference
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.sampling import IqrSampling

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = {
    "name": "demo",
    "data": {"kind": "digits"},
    "bandwidth": {"images": 3},
    "methods": ["iqr"],
}


def write(folder: Path, data: object) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_bare_name_is_a_method(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.methods == (IqrSampling(),)
    assert [arm.label for arm in config.arms] == ["iqr", "no-new-data"]


def test_set_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    config = load_config(path, ("bandwidth.images=9", "training.model=yolov3-tiny", "seed=4"))
    assert (config.bandwidth.images, config.training.model, config.seed) == (
        9,
        "yolov3-tiny",
        4,
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bandwith": 3}, "bandwith: is no key of a campaign"),
        ({"bandwidth": {}}, "bandwidth: expected images, bytes, link, or several"),
        ({"bandwidth": {"images": -1}}, "bandwidth.images: Input should be greater than"),
        ({"methods": ["nearest"]}, "methods.0: 'nearest' is none of random,"),
        ({"methods": []}, "methods: expected at least one"),
        ({"data": {"root": "x"}}, "data.kind: is missing"),
        ({"methods": ["iqr", "iqr"]}, "label 'iqr' is given twice"),
        ({"methods": [{"kind": "iqr", "label": "iqr2"}]}, "methods.0.label"),
        ({"mixing": {"retrain_new": 0}}, "mixing.retrain_new: Input should be greater than 0"),
        ({"initial": {"train": 0.7, "valid": 0.3}}, "the rest is the test set"),
        (
            {
                "stopping": {"kind": "up", "strip_len": 5},
                "training": {"evaluation_interval": 2},
            },
            "stopping.strip_len must be a multiple of training.evaluation_interval",
        ),
        (
            {"data": {"kind": "folder"}},
            "data.root: is missing; set it in the file or with --set data.root=",
        ),
        ({"data": {"kind": "folder", "root": "x", "group_pattern": "a("}}, "not a regular"),
        ({"store": "ftp://a/b"}, "store: expected a folder"),
        ({"training": {"device": "0,1"}}, "training.device"),
        ({"labelling": {"source": "nowhere:f"}}, "'nowhere' was not found on the import path"),
    ],
)
def test_an_error_names_key_value_and_what_was_expected(
    tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    path = write(tmp_path, MINIMAL | change)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_defect_28_no_new_images_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mixing\.retrain_new"):
        load_config(write(tmp_path, MINIMAL | {"mixing": {"retrain_new": 0}}))


def test_defect_35_a_comment_keeps_its_line_and_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    text = yaml.safe_dump(MINIMAL).replace("name: demo", "name: demo  # a comment")
    path.write_text(text, encoding="utf-8")
    assert load_config(path).name == "demo"
    path.write_text("name: demo", encoding="utf-8")
    with pytest.raises(InputError, match="bandwidth: is missing"):
        load_config(path)


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "\x00"])
def test_what_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"campaign\.yaml"):
        load_config(path)


@pytest.mark.parametrize("override", ["seed", "=3", "name.x=3", "seed=[", "store.a.b=1"])
def test_a_wrong_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(InputError, match="--set"):
        load_config(write(tmp_path, MINIMAL | {"store": "."}), (override,))


def test_an_item_of_a_list_is_set_by_its_number(tmp_path: Path) -> None:
    methods = ["diverse", {"kind": "in-range", "low": 0.1, "high": 0.5}]
    path = write(tmp_path, MINIMAL | {"methods": methods})
    config = load_config(path, ("methods.1.high=0.75", "methods.0=iqr"))
    assert [method.kind for method in config.methods] == ["iqr", "in-range"]
    assert config.methods[1].model_dump()["high"] == 0.75


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("methods.2=iqr", "2: expected the number of one of 1 items, from 0"),
        ("methods.first=iqr", "first: expected the number of one of 1 items, from 0"),
        ("methods.0.label=x", "0 has no keys of its own"),
        (f"methods.{'9' * 5000}=iqr", "expected the number"),
    ],
)
def test_what_is_no_item_of_a_list_is_said(tmp_path: Path, override: str, reason: str) -> None:
    path = write(tmp_path, MINIMAL | {"methods": ["iqr"]})
    with pytest.raises(InputError, match=reason):
        load_config(path, (override,))


def test_the_reference_is_up_to_date_and_complete() -> None:
    path = ROOT / "configs" / "reference.yaml"
    assert path.read_text(encoding="utf-8") == reference()
    data = yaml.safe_load(reference().replace("<...>", "given"))
    assert set(data) == set(CampaignConfig.model_fields)
    for part in ("initial", "batches", "training", "inference", "evaluation", "augmentation"):
        model = CampaignConfig.model_fields[part].annotation
        assert set(data[part]) == set(model.model_fields)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("quickstart", ()),
        ("link", ()),
        ("replay", ()),
        ("bccd", ("data.root=.",)),
        ("hourly", ("initial.data.root=.",)),
        ("arrived", ("initial.data.root=.",)),
    ],
)
def test_the_configs_that_come_with_the_project_are_valid(
    name: str, overrides: tuple[str, ...]
) -> None:
    assert load_config(ROOT / "configs" / f"{name}.yaml", overrides).name == name


def test_weights_are_never_fetched(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL | {"training": {"model": "yolo11n.pt"}})
    with pytest.raises(InputError, match=r"training\.model: no checkpoint there"):
        load_config(path)


def test_a_gpu_may_be_a_number_and_a_home_a_tilde(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL | {"store": "~/b"}), ("training.device=0",))
    assert config.training.device == "0"
    assert config.store == str(Path.home() / "b")


def test_how_trainings_follow_one_another_is_not_what_one_training_depends_on(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, MINIMAL)
    plain = load_config(path).training
    other = load_config(path, ("training.retrain_max_epochs=9", "training.retrain_from=best"))
    assert plain != other.training
    assert plain.of_one_run == other.training.of_one_run
    assert plain.of_one_run != load_config(path, ("training.lr0=0.5",)).training.of_one_run


@pytest.mark.parametrize(
    "folder", [".", "..", "a/../b", "ingested", "ingested/x", "runs", ".backhaul", "/", ""]
)
@pytest.mark.parametrize("key", ["inbox", "labels"])
def test_an_inbox_lies_apart_from_what_is_ours(key: str, folder: str) -> None:
    with pytest.raises(ValidationError, match="below the store"):
        InboxData.model_validate({key: folder})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"kind": "digits"}}, "expected data.kind inbox"),
        ({"bandwidth": {"images": 3, "per_node": True}}, "take neither link nor per_node"),
        ({"bandwidth": {"link": {"uplink_kbit_s": 9}}}, "take neither link nor per_node"),
        ({"methods": [{"kind": "arrived", "policy": "a/b"}]}, "methods"),
        ({"methods": ["arrived", {"kind": "arrived", "policy": "9"}]}, "label 'arrived' is"),
    ],
)
def test_what_arrived_takes_an_inbox_alone(changes: dict[str, Any], reason: str) -> None:
    inbox = {"data": {"kind": "inbox"}, "initial": {"data": {"kind": "folder", "root": "."}}}
    config = {**MINIMAL, **inbox, "methods": ["arrived"]}
    CampaignConfig.model_validate(config)
    with pytest.raises(ValidationError, match=re.escape(reason)):
        CampaignConfig.model_validate(config | changes)


@pytest.mark.parametrize(("inbox", "labels"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_inbox_and_labels_lie_apart(inbox: str, labels: str) -> None:
    with pytest.raises(ValidationError, match="in one another"):
        InboxData(inbox=inbox, labels=labels)
    assert InboxData(inbox="a", labels="ab/c").inbox == "a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {kind: inbox, inbox: drop, colour: red}", ["data.colour", "initial.data"]),
        ("data: {kind: inbox, colour: red}", ["data.colour", "initial.data"]),
        ("data: {kind: inbox, inbox: 3}", ["data.inbox"]),
        ("data: {kind: inbox, inbox: a, labels: a/b}", ["data"]),
        ("data: {kind: digits, limits: 3}", ["data.limits"]),
        ("initial: {images: null, data: {kind: folder}}", ["initial.data.root"]),
        (
            "data: {kind: inbox}\ninitial: {images: null, data: {kind: folder}}",
            ["initial.data.root"],
        ),
        ("initial: {images: null, colour: red}", ["initial.colour", "initial"]),
        ("initial: {images: null}\nsede: 3", ["initial", "sede"]),
    ],
)
def test_each_wrong_key_is_named_and_no_right_one(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    file = tmp_path / "config.yaml"
    rest = {"name: a", "bandwidth: {images: 1}", "methods: [true-random]"}
    data = "" if text.startswith("data") else "data: {kind: digits}\n"
    file.write_text("\n".join(rest) + f"\n{data}{text}\n")
    lines = settle(file).wrong
    assert [line.split(": ")[1] for line in lines] == expected


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_in(field.annotation)
    for part in get_args(kind):
        yield from models_in(part)


def test_no_part_has_a_field_called_keys() -> None:
    """Prefect makes a dict of a config; Python would call the field, as of a mapping."""
    for part in models_in(CampaignConfig):
        assert "keys" not in part.model_fields, part
    config = CampaignConfig.model_validate(MINIMAL | {"publish": {"method": "iqr"}})
    assert config.publish is not None
    assert dict(config.publish)["method"] == "iqr"
