"""The examples of the guides run as they are printed, and the guides leave nothing out."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from backhaul.campaign.config import CampaignConfig
from backhaul.cli.options import read_config
from backhaul.code import UserCode
from backhaul.data.formats import read
from backhaul.data.labelling import label_by_function
from backhaul.data.settings import FolderData
from backhaul.errors import AwaitingLabelsError
from backhaul.learn.augmentation.transforms import Picture, Transformer
from backhaul.learn.cropping import choose_cuts
from backhaul.learn.settings import Augmentation, UserStopping
from backhaul.learn.stopping import should_stop
from backhaul.sampling import Method
from backhaul.sampling.confidence import ConfidenceSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import FUSED_COLUMNS, XYXY, FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from backhaul.values.offers import Offers, Pool, SentBefore

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = ("own-method.md", "cropping.md", "sending.md")
GUIDES = "".join((DOCS / name).read_text(encoding="utf-8") for name in NAMES)
EXAMPLES = dict(BLOCK.findall(GUIDES))
CONFIGS = sorted(name for name in EXAMPLES if name.endswith(".yaml"))
N_IMAGES = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The examples as files beside each other, as a reader has them."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in EXAMPLES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.fixture
def pool() -> Pool:
    """Images of several classes, every tenth without a detection."""
    rng = np.random.default_rng(0)
    names = tuple(f"img-{i:02d}" for i in range(N_IMAGES))
    rows = [
        (
            name,
            int(c),
            rng.uniform(),
            rng.uniform(0, 0.3),
            int(rng.integers(1, 6)),
            1,
            2,
            30,
            40,
        )
        for i, name in enumerate(names)
        for c in rng.integers(0, 3, 2)
        if i % 10
    ]
    detections = replace(
        FusedDetections.from_table(pd.DataFrame(rows, columns=list(FUSED_COLUMNS))),
        scores=rng.uniform(size=(len(rows), 3)),
        features=Features(names_of(names), rng.uniform(size=(N_IMAGES, 4)).astype(np.float32)),
    )
    files = tuple(f"/images/cam{i % 3}_{name}.jpg" for i, name in enumerate(names))
    return Pool(
        Offers.originals(names, rng.integers(5_000, 20_000, N_IMAGES), files), detections
    )


def load(folder: Path, name: str) -> CampaignConfig:
    return read_config(folder / name, None)


def test_every_block_is_a_file() -> None:
    assert len(EXAMPLES) == GUIDES.count("\n```") / 2


@pytest.mark.parametrize("name", CONFIGS)
def test_examples_of_methods_select_within_the_bandwidth(
    name: str, folder: Path, pool: Pool
) -> None:
    campaign = load(folder, name)
    limits = campaign.bandwidth
    for method in campaign.methods:
        table = method.select(pool, limits, rng=np.random.default_rng(0)).table
        assert len(table) > 0
        assert limits.images is None or len(table) <= limits.images
        assert limits.bytes is None or table["size_bytes"].sum() <= limits.bytes
        again = method.select(pool, limits, rng=np.random.default_rng(0)).table
        assert table.equals(again)


def test_disagreement_sends_what_the_checkpoints_disagree_on(folder: Path, pool: Pool) -> None:
    _, method = load(folder, "campaign.yaml").methods
    sent = method.select(pool, Bandwidth(images=5), rng=np.random.default_rng(0)).table
    spread = pool.detections.table.groupby("image_id")["confidence_std"].max()
    assert list(sent["image_id"]) == list(spread.nlargest(5).index)
    assert method.label == "disagreement"


def test_smallest_first_spends_bytes_on_small_files(folder: Path, pool: Pool) -> None:
    (method,) = load(folder, "params.yaml").methods
    table = pool.detections.table
    sent = method.select(pool, Bandwidth(images=N_IMAGES), rng=np.random.default_rng(0)).table
    assert set(sent["image_id"]) == set(table.loc[table["votes"] >= 3, "image_id"])
    assert sent["size_bytes"].is_monotonic_increasing
    assert method.label == "small-files"


def test_unsure_and_different_leaves_out_what_looks_like_what_it_sent(
    folder: Path, pool: Pool
) -> None:
    (method,) = load(folder, "diversity.yaml").methods
    assert method.needs == {"scores", "features"}
    limits, rng = Bandwidth(images=5), np.random.default_rng(0)
    first = method.select(pool, limits, rng=rng).image_id.tolist()
    assert len(first) == 5
    features = pool.detections.features
    assert features is not None
    before = SentBefore(tuple(first), features.only(first))
    second = method.select(replace(pool, sent_before=before), limits, rng=rng)
    assert not set(first) & set(second.image_id)


def test_one_camera_is_chosen_by_the_names_of_its_files(folder: Path, pool: Pool) -> None:
    (method,) = load(folder, "cameras.yaml").methods
    sent = method.select(pool, Bandwidth(images=N_IMAGES), rng=np.random.default_rng(0)).table
    file = dict(zip(pool.image_id, pool.files, strict=True))
    names = [file[image_id] for image_id in sent["image_id"]]
    assert len(names) == N_IMAGES / 3
    assert all("cam2_" in name for name in names)
    assert names == sorted(names)


def test_a_method_of_weights_gives_reasons(folder: Path, pool: Pool) -> None:
    campaign = load(folder, "entropy.yaml")
    (method,) = campaign.methods
    sent = method.select(pool, Bandwidth(images=9), rng=np.random.default_rng(0)).table
    assert sent["reason"].str.contains("class|undetected|filled").all()
    code = campaign.methods[0].model_dump()["code"]
    built = UserCode.model_validate(code).load()(**code["params"])
    assert isinstance(built, ConfidenceSampling)
    likely, unlikely = built.weights(np.array([0.5, 0.9]), np.array([0.5]))
    assert 1.0 == likely > unlikely > 0.0


def test_a_declared_module_enters_the_digest(folder: Path) -> None:
    (before,) = load(folder, "uses.yaml").methods
    with (folder / "my_scores.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    (after,) = load(folder, "uses.yaml").methods
    assert before.model_dump()["code"]["digest"] != after.model_dump()["code"]["digest"]


def test_labels_come_from_the_function_or_are_awaited(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load(folder, "labels.yaml").labelling.source
    assert isinstance(source, UserCode)
    known = (100, 100, 1, None, None, None, None)
    row = ("a" * 32, "/somewhere/photo.jpg", *known)
    sent = ImageSet(pd.DataFrame([row], columns=list(IMAGE_COLUMNS)), ("cat", "dog"))
    monkeypatch.chdir(folder)
    with pytest.raises(AwaitingLabelsError, match="1 of 1 images have no labels yet"):
        label_by_function(sent, source)
    (folder / "labels-of-mine").mkdir()
    (folder / "labels-of-mine" / "photo.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    labelled = label_by_function(sent, source).table
    assert labelled["labels"][0].rows().tolist() == [[1.0, 0.5, 0.5, 0.2, 0.2]]
    assert labelled["label_source"][0] == "my_labels:from_folder"


def test_the_pipeline_draws_copies(folder: Path) -> None:
    settings: Augmentation = load(folder, "pipeline.yaml").augmentation
    rgb = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    picture = Picture(rgb, Labels.from_rows([[0, 0.4, 0.5, 0.2, 0.2]]))
    transformer, rng = Transformer(settings), np.random.default_rng(0)
    copies = [transformer.draw(picture, rng) for _ in range(8)]
    assert any(not np.array_equal(copy.rgb, rgb) for copy in copies)
    assert all(len(copy.labels) == 1 for copy in copies)


def test_the_criterion_stops_when_patience_ends(folder: Path) -> None:
    stopping = load(folder, "stopping.yaml").stopping
    assert isinstance(stopping, UserStopping)
    losses = [3.0, 1.0, None, 2.0, 2.0, 2.0]
    stops = [should_stop(stopping, [1.0] * n, losses[:n]) for n in range(1, len(losses) + 1)]
    assert stops == [False] * 5 + [True]


def test_the_object_that_the_checkpoints_disagree_on_is_cut_out(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.png"), np.zeros((96, 96, 3), np.uint8))
    images = ImageSet(
        pd.DataFrame(
            [("a", str(folder / "a.png"), 96, 96, 1, None, None, None, None)],
            columns=list(IMAGE_COLUMNS),
        ),
        ("cat",),
    )
    rows = [
        ("a", 0, 0.9, 0.1, 5, 10, 10, 30, 30),
        ("a", 0, 0.5, 0.3, 5, 40, 30, 60, 70),
        ("a", 0, 0.05, 0.4, 5, 0, 0, 20, 20),
    ]
    seen = FusedDetections.from_table(pd.DataFrame(rows, columns=list(FUSED_COLUMNS)))
    own = load(folder, "own-crops.yaml").cropping
    cuts = choose_cuts(images, seen, own)
    assert cuts[list(XYXY)].to_numpy().tolist() == [[26, 26, 74, 74]]
    assert len(choose_cuts(images, FusedDetections.from_table(seen.table[:0]), own)) == 0
    widened = choose_cuts(images, seen, load(folder, "crops.yaml").cropping)
    assert widened[list(XYXY)].to_numpy().tolist() == [[8, 8, 32, 32], [38, 26, 62, 74]]


@pytest.mark.parametrize(
    "guide", ["../README.md", "methods.md", "data.md", "lists.md", "production.md", "link.md"]
)
def test_pieces_of_configs_are_valid(
    guide: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for output in (Path("runs/first/output"), Path("old/output")):
        output.mkdir(parents=True)
        for name in ("sample0", "median-thresh0_sample_50"):
            (output / f"{name}.txt").write_text("a.jpg\n")
    text = (DOCS / guide).read_text(encoding="utf-8")
    pieces = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert pieces
    base = {
        "name": "x",
        "data": {"kind": "digits"},
        "bandwidth": {"images": 3},
        "methods": ["iqr"],
    }
    for piece in pieces:
        (folder / "piece.yaml").write_text(yaml.safe_dump(base | yaml.safe_load(piece)))
        load(folder, "piece.yaml")


LAYOUTS = re.findall(
    r"^```\n\w+/\n(.*?)^```$",
    (DOCS / "data.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
WRITTEN = {
    "data.yaml": "names: [car, bus]",
    "classes.txt": "car\nbus\n",
    "a.txt": "0 0.5 0.5 0.25 0.125",
    "label_2/a.txt": "car 0.00 0 1.55 4 4 8 8 1.57 1.73 4.15 1.00 1.75 13.22 1.62",
    "annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    "images/a.jpg,16,16,car,4,4,8,8\nimages/b.jpg,16,16,,,,,\n",
    "a.xml": "<annotation><object><name>car</name><bndbox><xmin>4</xmin><ymin>4</ymin>"
    "<xmax>8</xmax><ymax>8</ymax></bndbox></object></annotation>",
    "annotations.xml": '<annotations><image id="0" name="a.jpg" width="16" height="16"><box '
    'label="lorry" xtl="3" ytl="3" xbr="8" ybr="8"/></image></annotations>',
    "instances_train.json": '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": '
    '[{"id": 7, "name": "car"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 7, '
    '"bbox": [4, 4, 4, 4]}]}',
    "instances_val.json": '{"images": [{"id": 9, "file_name": "b.jpg"}], "categories": '
    '[{"id": 7, "name": "car"}], "annotations": []}',
}


@pytest.mark.parametrize("tree", LAYOUTS)
def test_layouts_are_read_as_the_guide_shows_them(tree: str, tmp_path: Path) -> None:
    for line in tree.splitlines():
        name = line.split()[1]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            pixels = np.full((16, 16, 3), ord(path.stem), dtype=np.uint8)
            path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
        else:
            path.write_text(WRITTEN[name if name in WRITTEN else path.name])
    report = read(FolderData(root=tmp_path))
    assert report.problems == ()
    table = report.images.table
    names = [Path(uri).name for uri in table["uri"]]
    n_boxes = {name: len(boxes) for name, boxes in zip(names, table["labels"], strict=True)}
    assert n_boxes == ({"a.jpg": 1, "b.jpg": 0} if "b.jpg" in tree else {"a.jpg": 1})


def test_every_layout_is_tried() -> None:
    assert len(LAYOUTS) == 7


OF_ALL = {"kind", "label", "digest", "gamma", "stratify", "include_undetected"}


def test_every_method_has_a_section() -> None:
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    union, *_ = get_args(Method)
    kinds = [cls.model_fields["kind"].default for cls in get_args(union)]
    sections = re.findall(r"^### `([\w-]+)`", text, re.MULTILINE)
    assert sorted(sections) == sorted(kinds)
    for cls in get_args(union):
        kind = cls.model_fields["kind"].default
        section = text.split(f"### `{kind}`")[1].split("\n#")[0]
        own = set(cls.model_fields) - OF_ALL
        assert all(f"`{name}`" in section for name in own), f"{kind}: {sorted(own)}"
