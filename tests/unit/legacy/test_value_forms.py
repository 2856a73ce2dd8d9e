"""Each form in which the earlier tool took a value means the same here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.configfile import load_config
from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.translation import translate
from backhaul.cli.commands import app
from backhaul.data.digits import NAMES, write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData

Write = Callable[..., Path]


def value(config: CampaignConfig, field: str) -> Any:
    found: Any = config
    for name in field.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        *((f"early_stop = {text}", "stopping.kind", "up") for text in ("1", "true", "True")),
        *(
            (f"early_stop = {text}", "stopping.kind", "none")
            for text in ("0", "false", "FALSE")
        ),
        *((f"aug_compose = {text}", "augmentation.major", True) for text in ("1", "TRUE")),
        *((f"aug_compose = {text}", "augmentation.major", False) for text in ("0", "False")),
        *((f"parallel = {text}", "parallel", 2) for text in ("1", "true")),
        *((f"parallel = {text}", "parallel", 1) for text in ("0", "false")),
        *((f"multiscale = {text}", "training.multiscale", 0.0) for text in ("0", "false")),
        ("multiscale = True", "training.multiscale", 0.2307),
        *((f"img_size = {text}", "training.img_size", 320) for text in ("320.0", "3.2e2")),
        *((f"max_epochs = {text}", "training.max_epochs", 30) for text in ("30.0", " 30  ")),
        *((f"retrain_new = {text}", "mixing.retrain_new", 1.0) for text in ("1", "1.0")),
        *((f"conf_thres = {text}", "inference.conf_thres", 0.25) for text in ("0.25", ".25")),
        *((f"bandwidth={text}", "bandwidth.images", 7) for text in ("7", "7 # a comment")),
        ("model_config = yolov3", "training.model", "yolov3"),
        ("model_config = yolo11n", "training.model", "yolo11n"),
        ("sample_set = /data/a b", "data.root", "/data/a b"),
        ("sample_set = data/sample/", "data.root", "data/sample"),
        ("class_list = ./config/digits.names", "data.names", Path("config/digits.names")),
    ],
)
def test_a_form_of_a_value_is_taken(write: Write, line: str, field: str, expected: Any) -> None:
    path = write("a.cfg", f"inherit = config/retrain.cfg\n{line}\n")
    config = load_config(write("campaign.yaml", translate(read_cfg(path), "a").yaml))
    assert value(config, field) == expected


@pytest.mark.parametrize("key", ["initial_set", "sample_set"])
@pytest.mark.parametrize("written", ["from the working directory", "from the list", "absolute"])
def test_a_set_may_be_a_list_of_images(write: Write, key: str, written: str) -> None:
    write_scenes(Path("data/scenes"), DigitsData(images=6))
    write("config/digits.names", "\n".join(NAMES))
    images = sorted(Path("data/scenes/images").iterdir())[1:4]
    lines = {
        "from the working directory": [path.as_posix() for path in images],
        "from the list": [f"images/{path.name}" for path in images],
        "absolute": [path.absolute().as_posix() for path in images],
    }[written]
    write("data/scenes/some.txt", "\n".join(lines) + "\n\n")
    write("a.cfg", f"inherit = config/retrain.cfg\n{key} = data/scenes/some.txt\n")
    before = {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")}

    done = CliRunner().invoke(app, ["import-cfg", "a.cfg", "--out", "here/a.yaml"])
    assert done.exit_code == 0, done.output
    config = load_config(Path("here/a.yaml"))
    data = config.initial.data if key == "initial_set" else config.data
    assert isinstance(data, FolderData)
    assert data.root == f"here/a-{key.removesuffix('_set')}"
    found = read(data)
    found.require_clean()
    assert {Path(uri) for uri in found.images.table["uri"]} == {p.absolute() for p in images}
    assert found.images.class_names == NAMES
    assert len(found.images.labelled()) == 3
    assert {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")} == before

    again = CliRunner().invoke(
        app, ["import-cfg", "a.cfg", "--out", "here/b.yaml", "--name", "a"]
    )
    assert "exists already" in str(again.exception)


@pytest.mark.parametrize(
    ("text", "reason"), [("", "some.txt: is empty"), ("\0\1", "config/digits.names")]
)
def test_a_list_that_cannot_be_taken_is_named_by_its_line(
    write: Write, text: str, reason: str
) -> None:
    write("some.txt", text)
    if not text:
        write("config/digits.names", "one\n")
    path = write("a.cfg", "inherit = config/retrain.cfg\ninitial_set = some.txt\n")
    with pytest.raises(ValueError, match=rf"a\.cfg:2: initial_set: .*{reason}"):
        translate(read_cfg(path), "a")
