"""What is sent as a stage: stored, chosen by its cost, and read by what knew nothing of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prefect.logging import disable_run_logger

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.recipes import SendReencoded
from backhaul.data.settings import DigitsData, FolderData
from backhaul.link.settings import Link
from backhaul.link.state import LinkState
from backhaul.sampling import TrueRandomSampling
from backhaul.storage.objects import read_value, write_value
from backhaul.values.bandwidth import ALL_NODES, Bandwidth, NodeBandwidths
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.results import Offered, Sent
from tasks.offers import prepare_offers, truth_of_sent
from tasks.results import KINDS
from tasks.sampling import select_images
from tasks.stage import Stage, Step
from tasks.transfer import transfer

NOTHING_SEEN = FusedDetections(
    image_id=names_of([]),
    class_id=np.zeros(0, dtype=np.int64),
    confidence=np.zeros(0),
    xyxy=np.zeros((0, 4)),
    confidence_std=np.zeros(0),
    votes=np.zeros(0, dtype=np.int64),
    box_spread=np.zeros(0),
)


def bare(stage: Stage[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run what a stage does, without a flow and without the cache."""
    with disable_run_logger():
        return stage.task.fn(*args, **kwargs)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, DigitsData(images=8, size_px=96))
    return read(FolderData(root=folder.as_posix())).images


def test_more_images_fit_where_each_takes_less(images: ImageSet, tmp_path: Path) -> None:
    step = Step(root=tmp_path.as_posix(), seed=1)
    batch = write_value(step.root, images.without_labels())
    seen = write_value(step.root, NOTHING_SEEN)
    method = TrueRandomSampling()
    limit = Bandwidth(bytes=int(images.table["size_bytes"].sum()) // 4)
    offered: Offered = bare(prepare_offers, batch, SendReencoded(quality=10), step=step)
    few: Sent = bare(select_images, batch, seen, method, limit, step=step)
    many: Sent = bare(select_images, offered, seen, method, limit, step=step)
    assert few.n_images < many.n_images
    assert max(few.n_bytes, many.n_bytes) <= limit.bytes  # type: ignore[operator] # it has one
    assert few.as_sent == few.chosen
    sent = read_value(ImageSet, many.as_sent)
    assert sent.table["size_bytes"].sum() == many.n_bytes
    assert all(Path(uri).is_relative_to(tmp_path) for uri in sent.table["uri"])
    assert many.versions is not None
    truth = write_value(step.root, images)
    labelled = read_value(ImageSet, bare(truth_of_sent, many.versions, truth, 1.0, step=step))
    originals = images.take(read_value(ImageSet, many.chosen).ids)
    for mine, theirs in zip(labelled.table["labels"], originals.table["labels"], strict=True):
        assert mine.same_as(theirs)


def test_a_link_carries_what_is_sent(images: ImageSet, tmp_path: Path) -> None:
    step = Step(root=tmp_path.as_posix(), seed=1, batch=0)
    batch = write_value(step.root, images.without_labels())
    seen = write_value(step.root, NOTHING_SEEN)
    link = Link(uplink_kbit_s=8, overhead_bytes=100)
    limits = NodeBandwidths(limits={ALL_NODES: Bandwidth(images=3)}, overhead_bytes=100)
    offered: Offered = bare(prepare_offers, batch, SendReencoded(quality=10), step=step)
    sent: Sent = bare(select_images, offered, seen, TrueRandomSampling(), limits, step=step)
    assert sent.versions is not None
    sizes = read_value(ImageSet, sent.as_sent).table["size_bytes"]
    assert sent.n_bytes == sizes.sum()
    carried = bare(transfer, sent.versions, None, link, LinkState(), step=step)
    assert carried.wire_bytes == sent.n_bytes + 3 * 100


def test_a_version_that_knows_no_recipes_reads_what_has_none(
    images: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path.as_posix()
    artifact = write_value(root, images)
    counts = {"n_images": 1, "n_bytes": 2, "pool_images": 3, "pool_bytes": 4}
    plain = Sent(selection=artifact, chosen=artifact, **counts)
    kind = KINDS["sent"]
    stored = kind.encode(plain, root)
    assert b"versions" not in stored
    assert kind.decode(stored, root) == plain
    offered = Offered(captured=artifact, images=artifact, sources=artifact)
    other = plain.model_copy(update={"versions": offered})
    assert kind.decode(kind.encode(other, root), root) == other
