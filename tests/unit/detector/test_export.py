"""Checkpoints as a model for nodes: it sees what they see."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.data.formats import read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.geometry import pairwise_iou
from backhaul.learn.export.graph import onnx_bytes
from backhaul.learn.export.latency import latencies_ms
from backhaul.learn.export.quantisation import calibration_images, quantised
from backhaul.learn.export.settings import Export
from backhaul.learn.training.job import EpochDone
from backhaul.learn.training.process import train
from backhaul.look.checkpoints import model_digest
from backhaul.look.letterbox import read_pixels
from backhaul.look.libraries import isolate_libraries
from backhaul.look.look import look, predictor_of
from backhaul.look.modelfile import ModelInfo
from backhaul.look.onnx import Onnx, OnnxModel
from backhaul.look.protocol import PredictionSettings
from backhaul.look.settings import Inference
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet, concat
from backhaul.values.localimages import LocalImages
from backhaul.values.splits import Splits
from tests.unit.detector.conftest import CLASSES, SIZE, make_job

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # torch's, of its own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SETTINGS = PredictionSettings(
    SIZE,
    conf_thres=0.01,
    nms_thres=0.6,
    device="cpu",
    threads=1,
    needs=frozenset({"scores", "features", "descriptors"}),
)


def quietly(done: int, total: int) -> None:
    """Stand for a display of progress."""


def network(seed: int) -> Any:
    """Return a network whose scores differ, as those of a trained one do.

    Those of an untrained one are nearly equal, and it depends on their last digits which box
    suppresses which.
    """
    isolate_libraries()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(seed)
    made = DetectionModel("yolo11n.yaml", nc=len(CLASSES), verbose=False)
    made.names = dict(enumerate(CLASSES))
    norms = [m for m in made.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for each in norms:
        each.momentum = 1.0
    coarse = torch.rand(8, 3, 4, 4).repeat_interleave(SIZE // 4, 2)
    with torch.no_grad():
        made.train()(coarse.repeat_interleave(SIZE // 4, 3) + torch.rand(8, 3, SIZE, SIZE) / 10)
        for last in (each[-1] for each in made.model[-1].cv3):
            last.weight.mul_(3)
            last.bias.fill_(-3)
    return made.eval()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[LocalCheckpoint]:
    """Two checkpoints, of epochs 2 and 4."""
    import torch

    found = []
    for epoch in (2, 4):
        made = network(epoch)
        path = tmp_path_factory.mktemp("checkpoints") / f"init_ckpt_{epoch}.pt"
        torch.save({"epoch": -1, "model": made, "train_args": {}}, path)
        found.append(LocalCheckpoint(epoch, path, model_digest(made)))
    return found


@pytest.fixture(scope="module")
def model(checkpoints: list[LocalCheckpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    path.write_bytes(onnx_bytes(checkpoints, CLASSES, SIZE))
    return path


@pytest.fixture(scope="module")
def everything(scenes: Splits) -> ImageSet:
    return concat([scenes.train, scenes.valid, scenes.test])


def inside(model: Path, checkpoints: list[LocalCheckpoint]) -> list[LocalCheckpoint]:
    """Return the checkpoints as those of the model's file."""
    return [LocalCheckpoint(each.epoch, model, "") for each in checkpoints]


def agreeing(seen: Detections, reference: Detections) -> float:
    """Return which part of detections lies in both: IoU >= .99, confidence within .01."""
    agree = 0
    for key in {*zip(reference.image_id, reference.epoch, reference.class_id, strict=True)}:
        own, other = (
            each.take(
                (each.image_id == key[0]) & (each.epoch == key[1]) & (each.class_id == key[2])
            )
            for each in (seen, reference)
        )
        overlap = pairwise_iou(other.xyxy, own.xyxy) >= 0.99
        apart = np.abs(other.confidence[:, None] - own.confidence[None, :]) <= 0.01
        agree += int((overlap & apart).any(axis=1).sum())
    return agree / max(len(seen), len(reference))


def photos_of(bccd: Path, number: int) -> ImageSet:
    """Return the first photos of the BCCD set, 640 x 480 pixels."""
    data = read(FolderData(root=bccd, format="voc"))
    return data.images.take(sorted(data.images.ids)[:number])


def test_it_sees_in_photos_what_the_checkpoints_see(
    model: Path, checkpoints: list[LocalCheckpoint], bccd: Path
) -> None:
    paths = sorted((bccd / "JPEGImages").iterdir())[:6]
    names = tuple(path.name for path in paths)
    size_px = np.full((6, 2), (640, 480))
    images = LocalImages(names, tuple(map(str, paths)), size_px, CLASSES)
    theirs = predictor_of(None).predict(images, checkpoints, SETTINGS, quietly)
    ours = Onnx().predict(images, inside(model, checkpoints), SETTINGS, quietly)
    assert len(theirs) > 100
    assert agreeing(ours, theirs) >= 0.995


@pytest.mark.train
@pytest.mark.slow
def test_a_trained_model_sees_in_photos_what_its_checkpoints_see(
    bccd: Path, tmp_path: Path
) -> None:
    """After fewer epochs, PyTorch disagrees with itself in batches of another size."""
    images = photos_of(bccd, 128)
    number = np.arange(len(images))
    parts = Splits(images.where(number < 96), images.where(number >= 96), images.at(number[:0]))
    job = make_job(tmp_path, parts, img_size=160, batch_size=16).model_copy(
        update={"class_names": images.class_names, "epochs": 24}
    )
    done = [each for each in train(job) if isinstance(each, EpochDone)]
    weights = [
        LocalCheckpoint(each.record.epoch, each.checkpoint, each.sha256)
        for each in (done[-8], done[-1])
        if each.checkpoint is not None and each.sha256 is not None
    ]
    assert len(weights) == 2
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx_bytes(weights, images.class_names, 160))
    settings = replace(SETTINGS, img_size=160)
    looked_at = parts.valid.local()
    theirs = predictor_of(None).predict(looked_at, weights, settings, quietly)
    ours = Onnx().predict(looked_at, inside(file, weights), settings, quietly)
    assert len(theirs) > 50
    assert agreeing(ours, theirs) >= 0.995


def test_it_sees_what_the_checkpoints_see(
    model: Path, checkpoints: list[LocalCheckpoint], everything: ImageSet
) -> None:
    images = everything.local()
    theirs = predictor_of(None).predict(images, checkpoints, SETTINGS, quietly)
    calls: list[tuple[int, int]] = []
    ours = Onnx().predict(
        images, inside(model, checkpoints), SETTINGS, lambda *now: calls.append(now)
    )
    assert calls == [(n, 24) for n in range(1, 25)]
    assert len(theirs) > 100
    assert agreeing(ours, theirs) >= 0.995
    assert ours.scores is not None
    own = ours.scores[np.arange(len(ours)), ours.class_id]
    np.testing.assert_allclose(own, ours.confidence)
    for name, vectors in theirs.vectors().items():
        same = ours.vectors()[name]
        apart = np.linalg.norm(same.of(everything.ids) - vectors.vectors, axis=1)
        assert (apart <= 1e-3 * np.linalg.norm(vectors.vectors, axis=1)).all()
    plain = Onnx().predict(
        images, inside(model, checkpoints), replace(SETTINGS, needs=frozenset()), quietly
    )
    assert (plain.scores, plain.features, plain.descriptors) == (None, None, None)
    np.testing.assert_array_equal(plain.xyxy, ours.xyxy)


def test_one_image_gives_what_it_gives_among_others(
    model: Path, checkpoints: list[LocalCheckpoint], everything: ImageSet
) -> None:
    images = everything.take(everything.ids[5:7]).local()
    among = Onnx().predict(images, inside(model, checkpoints), SETTINGS, quietly)
    alone = OnnxModel(model).look(read_pixels(images.paths[1]), images.image_id[1], SETTINGS)
    of_it = among.of_images(images.image_id[1:])
    for name, column in alone.columns().items():
        np.testing.assert_array_equal(column, of_it.columns()[name])
    assert alone.features is not None
    assert of_it.features is not None
    np.testing.assert_array_equal(alone.features.vectors, of_it.features.vectors)


def test_what_it_sees_is_fused_as_that_of_checkpoints(
    model: Path, checkpoints: list[LocalCheckpoint], everything: ImageSet
) -> None:
    images = everything.local()
    inference = Inference(conf_thres=SETTINGS.conf_thres)
    ours, theirs = (
        look(images, weights, predictor, SETTINGS, inference, quietly)
        for weights, predictor in (
            (inside(model, checkpoints), Onnx()),
            (checkpoints, predictor_of(None)),
        )
    )
    assert abs(len(ours) - len(theirs)) <= 0.01 * len(theirs)
    assert ours.votes.max() == 2


def test_equal_checkpoints_give_equal_bytes(
    model: Path, checkpoints: list[LocalCheckpoint]
) -> None:
    assert onnx_bytes(checkpoints, CLASSES, SIZE) == model.read_bytes()
    info = ModelInfo(class_names=CLASSES, img_size=SIZE, epochs=(2, 4), precision="fp32")
    assert OnnxModel(model).info == info


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epochs": (2, 3)}, r"model\.onnx: has epochs \(2, 4\), expected \(2, 3\)"),
        ({"sha256": "0" * 64}, r"model\.onnx: content does not match its digest 000000000000"),
        (
            {"class_names": ("a", "b")},
            r"has classes \('dark', 'light'\), expected \('a', 'b'\)",
        ),
        ({"img_size": 96}, r"img_size: 96: the model is for 64 pixels"),
    ],
)
def test_what_does_not_fit_it_is_a_line(
    changes: dict[str, object], told: str, model: Path, everything: ImageSet
) -> None:
    given = {"epochs": (2, 4), "sha256": "", "class_names": CLASSES, "img_size": SIZE} | changes
    images = replace(everything.local(), class_names=given["class_names"])  # type: ignore[arg-type]
    epochs: tuple[int, ...] = given["epochs"]  # type: ignore[assignment]
    weights = [LocalCheckpoint(epoch, model, str(given["sha256"])) for epoch in epochs]
    settings = replace(SETTINGS, img_size=given["img_size"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=told):
        Onnx().predict(images, weights, settings, quietly)


def test_calibration_takes_training_images_alone(scenes: Splits) -> None:
    table = scenes.train.table.copy()
    table.loc[table.index[:4], "copy_of"] = table["image_id"].iloc[8]
    train = ImageSet(table, CLASSES)
    int8 = Export(precision="int8", calibration_images=6)
    first, second = (
        calibration_images(train, int8, np.random.default_rng(seed)) for seed in (1, 2)
    )
    assert len(first) == len(second) == 6
    assert first.ids != second.ids
    assert set(first.ids) < set(train.originals().ids)
    assert list(first.ids) == sorted(first.ids)
    every = calibration_images(train, Export(precision="int8"), np.random.default_rng(1))
    assert every.ids == train.originals().ids
    assert len(calibration_images(train, Export(), np.random.default_rng(1))) == 0
    none = train.at(np.arange(4))
    with pytest.raises(InputError, match="int8 needs training images"):
        calibration_images(none, int8, np.random.default_rng(1))


def test_latencies_are_of_looks(model: Path, everything: ImageSet) -> None:
    taken = latencies_ms(model, everything.take(everything.ids[:3]).local(), SETTINGS)
    assert taken.shape == (3,)
    assert ((taken > 0) & (taken < 10_000)).all()


@pytest.mark.slow
def test_int8_quantises_convolutions_up_to_the_heads_last(
    checkpoints: list[LocalCheckpoint], everything: ImageSet, tmp_path: Path
) -> None:
    import onnx

    single = onnx_bytes(checkpoints[-1:], CLASSES, SIZE)
    images: LocalImages = everything.take(everything.ids[:8]).local()
    made = quantised(single, images)
    assert made == quantised(single, images)
    assert len(made) < 0.4 * len(single)
    graph = onnx.load_from_string(made).graph
    inputs = {node.output[0]: node for node in graph.node}
    whole = [n for n in graph.node if n.op_type == "Conv" and n.input[0] not in inputs]
    assert not whole
    float_convs = [
        n.name
        for n in graph.node
        if n.op_type == "Conv" and inputs[n.input[0]].op_type != "DequantizeLinear"
    ]
    assert len(float_convs) == 1
    assert "/dfl/" in float_convs[0]
    (tmp_path / "int8.onnx").write_bytes(made)
    model = OnnxModel(tmp_path / "int8.onnx")
    assert model.info.precision == "int8"
    assert model.info.epochs == (4,)
    theirs = predictor_of(None).predict(images, checkpoints[-1:], SETTINGS, quietly)
    last = [LocalCheckpoint(4, tmp_path / "int8.onnx", "")]
    ours = Onnx().predict(images, last, SETTINGS, quietly)
    overlap = pairwise_iou(theirs.xyxy[:20], ours.xyxy)
    assert np.median(overlap.max(axis=1)) > 0.7  # coarser, but of the same things
    assert {n.op_type for n in graph.node} >= {"Softmax", "Sigmoid"}


LOOKS = """
import sys
from pathlib import Path
import numpy as np
from backhaul.look.onnx import OnnxModel
from backhaul.look.protocol import PredictionSettings
model = OnnxModel(Path({path!r}))
needs = frozenset(["scores", "features", "descriptors"])
settings = PredictionSettings(model.info.img_size, 0.1, 0.5, needs=needs)
seen = model.look(np.zeros((48, 64, 3), np.uint8), "frame", settings)
assert len(seen.features.vectors) == 1
print([n for n in {heavy} if n in sys.modules])
"""


def test_a_node_looks_without_what_it_has_not(model: Path) -> None:
    from tests.unit.test_node_imports import NOT_ON_A_NODE

    heavy = [name for name in NOT_ON_A_NODE if name != "cv2"]
    code = LOOKS.format(path=str(model), heavy=[*heavy, "onnx", "botocore"])
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]"
