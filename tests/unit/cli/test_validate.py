"""What is wrong with a campaign is named before it starts, all of it, each with its key."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from backhaul.cli.commands import app
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.errors import InputError
from backhaul.publication.keys import make_keys

Check: TypeAlias = Callable[..., tuple[Sequence[str], str]]

CODE = """\
def of_nothing():
    return []

def of_an_image(path):
    return []

def of_pool_alone(pool):
    return []

value = 3

class Empty:
    pass

class Stop:
    def __init__(self, patience):
        self.patience = patience

    def stop(self, train_losses, valid_losses):
        return False

class Detector:
    def train(self, *given): ...
    def predict(self, *given): ...

def wants_features(pool, bandwidth, rng):
    return []

wants_features.needs = frozenset({"features"})
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "scenes"
    write_scenes(folder, DigitsData(images=60))
    return folder


@pytest.fixture
def check(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Writes a config that is right but for what is given, and validates it."""
    monkeypatch.chdir(tmp_path)
    Path("code_of_mine.py").write_text(CODE)
    Path("a_file").write_text("nothing")
    Path("empty").mkdir()
    Path("not_a.pt").write_bytes(b"nothing")
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*arguments: str, **changes: Any) -> tuple[Sequence[str], str]:
        fields: dict[str, Any] = {
            "name": "cars",
            "data": {"kind": "folder", "root": str(scenes)},
            "initial": {"images": 30},
            "batches": {"sampling_batch": 10},
            "bandwidth": {"images": 4},
            "methods": ["true-random"],
        }
        for key, value in changes.items():
            merged = isinstance(value, dict) and isinstance(fields.get(key), dict)
            fields[key] = fields[key] | value if merged and "kind" not in value else value
        Path("cars.yaml").write_text(yaml.safe_dump({k: v for k, v in fields.items() if v}))
        ended = CliRunner().invoke(app, ["validate", "cars.yaml", *arguments])
        if ended.exception is None:
            return (), ended.output
        assert isinstance(ended.exception, InputError), ended.exception
        return str(ended.exception).splitlines(), ended.output

    return run


def keys(lines: Sequence[str]) -> list[str]:
    found = [re.match(r"cars\.yaml: ([\w.]+): ", line) for line in lines]
    assert all(found), lines
    return [match[1] for match in found if match]


def test_a_right_campaign_is_valid_and_leaves_nothing(check: Check, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    lines, said = check()
    assert (lines, "cars.yaml: valid" in said) == ((), True)
    left = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert left - {*before} == {tmp_path / "cars.yaml"}


def stops(name: str) -> dict[str, str]:
    return {"kind": "user", "criterion": f"code_of_mine:{name}"}


OWN = {"kind": "folder", "root": "nosuch"}
BROKEN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("data.root", {"data": {"root": "nosuch"}}),
    ("data.root", {"data": {"root": "a_file"}}),
    ("data.root", {"data": {"root": "empty"}}),
    ("data.root", {"data": {"format": "voc"}}),
    ("data.names", {"data": {"names": "nosuch.names"}}),
    ("data.names", {"data": {"names": "empty"}}),
    ("initial.data.root", {"initial": {"data": OWN}}),
    ("initial.data.names", {"initial": {"data": {**OWN, "root": ".", "names": "nosuch"}}}),
    ("lists", {"lists": "nosuch"}),
    ("lists", {"lists": "empty"}),
    ("initial.images", {"initial": {"images": 61}}),
    ("batches.holdout_batches", {"batches": {"holdout_batches": 9}}),
    ("batches", {"batches": {"count": 9}}),
    ("initial.images", {"initial": {"images": 1}}),
    ("initial.images", {"initial": {"images": 2, "train": 0.5, "valid": 0.4}}),
    ("store", {"store": "a_file"}),
    ("store", {"store": "s3://nosuch/x"}),
    ("training.model", {"training": {"model": "nosuch.pt"}}),
    ("training.model", {"training": {"model": "not_a.pt"}}),
    ("training.model", {"training": {"model": "yolo99q"}}),
    ("training.device", {"training": {"device": "99"}}),
    ("training.detector", {"training": {"detector": "code_of_mine:Empty"}}),
    ("start.checkpoint", {"start": {"checkpoint": "nosuch_ckpt_3.pt"}}),
    ("start.checkpoint", {"start": {"checkpoint": "not_a.pt"}}),
    ("start.checkpoint", {"start": {"checkpoint": "not_a.pt", "epoch": 3}}),
    ("labelling.source", {"labelling": {"source": "code_of_mine:nosuch"}}),
    ("labelling.source", {"labelling": {"source": "code_of_mine:of_nothing"}}),
    ("cropping.function", {"cropping": {"function": "code_of_mine:of_an_image"}}),
    ("augmentation.pipeline", {"augmentation": {"pipeline": "code_of_mine:of_an_image"}}),
    (
        "stopping.criterion",
        {"stopping": {"kind": "user", "criterion": "code_of_mine:Empty"}},
    ),
    (
        "stopping.criterion",
        {"stopping": {"kind": "user", "criterion": "code_of_mine:Stop"}},
    ),
    ("methods.0", {"methods": ["nosuch:Method"]}),
    ("methods.0", {"methods": ["code_of_mine:of_pool_alone"]}),
    ("methods.0", {"methods": ["code_of_mine:value"]}),
    ("methods.0", {"methods": [{"kind": "listed", "folder": "nosuch", "of": "iqr"}]}),
    (
        "methods.0",
        {
            "methods": ["code_of_mine:wants_features"],
            "training": {"detector": "code_of_mine:Detector"},
        },
    ),
    ("data.root", {"data": {"kind": "folder"}}),
    ("data.format", {"data": {"format": "nosuch"}}),
    ("name", {"name": None}),
    ("uplink", {"uplink": "mobile"}),
    ("store", {"store": "block://nosuch"}),
    ("execution", {"execution": "work-pool"}),
)


@pytest.mark.parametrize(("key", "changes"), BROKEN, ids=lambda value: str(value)[:60])
def test_what_is_wrong_is_named_by_its_key(
    check: Check, key: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    # other tests of the same process may have a server
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        lines, _ = check(**changes)
    assert set(keys(lines)) == {key}, lines


def test_all_that_is_wrong_is_named_at_once(check: Check) -> None:
    lines, _ = check(
        data={"root": "nosuch", "names": "gone.names"},
        lists="nolists",
        store="a_file",
        training={"model": "gone.pt"},
        bandwith={"images": 3},
        start={"checkpoint": "gone_ckpt_1.pt"},
    )
    assert sorted(keys(lines)) == [
        "bandwith",
        "data.names",
        "data.root",
        "lists",
        "start.checkpoint",
        "store",
        "training.model",
    ]


def test_a_wrong_initial_set_hides_no_wrong_batches(check: Check) -> None:
    lines, _ = check(initial={"images": 99}, batches={"count": 40})
    assert keys(lines) == ["initial.images", "batches"]


def test_a_label_that_is_wrong_is_named_with_its_line(
    check: Check, scenes: Path, tmp_path: Path
) -> None:
    shutil.copytree(scenes, tmp_path / "mine")
    label = sorted((tmp_path / "mine" / "labels").iterdir())[3]
    label.write_text("0 0.5 0.5 7 0.1\n")
    lines, _ = check(data={"root": "mine"})
    assert set(keys(lines)) == {"data.root"}
    assert f"{label.name}:1" in lines[0]


def with_rare_objects(scenes: Path, folder: Path, count: int) -> dict[str, str]:
    """Return data in which `count` images show nothing but a class of their own."""
    shutil.copytree(scenes, folder / "mine")
    (folder / "names").write_text("one\ntwo\nthree\nfour\nfive\nrare\nnever\n")
    for label in sorted((folder / "mine" / "labels").iterdir())[3 : 3 + count]:
        label.write_text("5 0.5 0.5 0.1 0.1\n")
    return {"kind": "folder", "root": "mine", "names": "names"}


def test_a_class_without_objects_to_train_on_is_named(
    check: Check, scenes: Path, tmp_path: Path
) -> None:
    data = with_rare_objects(scenes, tmp_path, 3)
    lines, said = check(data=data, initial={"images": 10}, seeds=list(range(8)))
    assert set(keys(lines)) == {"initial.images"}
    assert any("no object to train on of class" in line and "'rare'" in line for line in lines)
    assert "warning: cars.yaml: data.names: no object at all of class 'never'" in said


@pytest.mark.parametrize(("count", "own"), [(1, False), (2, False), (12, True)])
def test_a_class_that_no_other_initial_set_would_have_is_a_warning(
    check: Check, scenes: Path, tmp_path: Path, count: int, *, own: bool
) -> None:
    data = with_rare_objects(scenes, tmp_path, count)
    write_scenes(tmp_path / "first", DigitsData(images=30, seed=1))
    first = {"kind": "folder", "root": "first", "names": "names"}
    initial = {"images": None, "data": first} if own else {"images": 30}
    lines, said = check(data=data, initial=initial, seeds=list(range(4)))
    assert not lines
    assert "warning: cars.yaml: initial.images: no object to train on of class 'rare'" in said


def test_a_bandwidth_that_leaves_no_choice_is_a_warning_as_the_run_takes_it(
    check: Check,
) -> None:
    lines, said = check(bandwidth={"images": 11})
    assert lines == ()
    assert "warning: cars.yaml: bandwidth.images: 11 images, and a batch has 10" in said


def test_quick_looks_at_the_config_alone(check: Check) -> None:
    lines, said = check("--quick", data={"root": "nosuch"}, store="a_file")
    assert (lines, "cars.yaml: valid" in said) == ((), True)
    lines, _ = check("--quick", data={"root": "nosuch"}, training={"img_size": 33})
    assert keys(lines) == ["training.img_size"]


def test_what_versions_need_to_be_published_is_looked_for(
    check: Check, scenes: Path, tmp_path: Path
) -> None:
    make_keys(tmp_path / "signing")
    right = {"method": "true-random", "signing": "signing", "probe": str(scenes / "images")}
    inbox = {
        "data": {"kind": "inbox"},
        "initial": {"data": {"kind": "folder", "root": str(scenes)}, "images": None},
        "control": None,
    }
    assert check(**inbox, publish=right)[0] == ()
    lines, _ = check(**inbox, publish=right | {"signing": "none", "probe": "none"})
    assert keys(lines) == ["publish.signing", "publish.probe"]
    lines, _ = check(publish=right)
    assert "publish.signing: `hourly` publishes: expected data.kind inbox" in lines[0]
    lines, _ = check(**inbox, publish={**right, "probe": None})
    assert "probe: expected a folder of images as the nodes have them" in lines[0]


def test_an_inbox_is_looked_at(check: Check, scenes: Path) -> None:
    inbox = {
        "data": {"kind": "inbox"},
        "initial": {"data": {"kind": "folder", "root": "nosuch"}},
    }
    lines, _ = check(**inbox, store="empty")
    assert "data.root" not in keys(lines)
    Path("empty/labels").write_text("no folder")
    lines, _ = check(**inbox, store="empty")
    assert keys(lines) == ["data.labels", "initial.data.root"]


def test_a_kind_of_the_name_of_a_key_is_not_taken_for_it(check: Check) -> None:
    inbox = {"kind": "inbox", "inbox": "inbox", "labels": "labels"}
    own = {"data": {"kind": "folder", "root": "."}, "images": None}
    lines, _ = check("--quick", data=inbox | {"label_sorce": "x"}, initial=own)
    assert keys(lines) == ["data.label_sorce"]
    lines, _ = check("--quick", data=inbox | {"labels": -7}, initial=own)
    assert keys(lines) == ["data.labels"]


def test_what_only_follows_from_a_wrong_key_is_not_told(check: Check) -> None:
    own = {"data": {"kind": "folder", "root": 7}, "images": None}
    lines, _ = check("--quick", data={"kind": "inbox"}, initial=own)
    assert keys(lines) == ["initial.data.root"]
