"""The stages that choose within a link and reckon what arrives, without a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.logging import disable_run_logger

from backhaul.link.settings import Allowance, Link
from backhaul.link.state import LinkState, bandwidth_in_window
from backhaul.sampling import TrueRandomSampling
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import NodeBandwidths
from backhaul.values.detections import FUSED_COLUMNS, FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.results import Sent
from backhaul.values.selections import Selection
from tasks.results import KINDS
from tasks.sampling import select_images
from tasks.stage import Step
from tasks.transfer import transfer

LINK = Link(
    uplink_kbit_s=8, overhead_bytes=100, allowances=[Allowance(period="hour", images=3)]
)


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(root=str(tmp_path), seed=1, batch=0)


def images(names: list[str], **columns: Any) -> ImageSet:
    """Return images of 1000, 1001, ... bytes."""
    sizes = range(1_000, 1_000 + len(names))
    known = {"image_id": [f"i{k}" for k in range(len(names))], "uri": names}
    table = pd.DataFrame(known | {"width": 8, "height": 8, "size_bytes": sizes})
    missing: dict[str, Any] = dict.fromkeys(("group", "labels", "label_source", "copy_of"))
    return ImageSet(table.assign(**(missing | columns))[list(IMAGE_COLUMNS)], ("a",))


FRAMES = [f"/d/cam{k % 2:02d}_stream_{k:06d}_s00003.jpg" for k in range(12)]


def choose(pool: ImageSet, step: Step, nodes: Artifact | None, *names: str) -> Sent:
    limits = {name: bandwidth_in_window(None, LINK, LinkState(), name) for name in names}
    bandwidth = NodeBandwidths(limits=limits, overhead_bytes=100, nodes=nodes)
    seen = FusedDetections.from_table(pd.DataFrame(columns=list(FUSED_COLUMNS)))
    with disable_run_logger():
        return select_images.function(
            write_value(step.root, pool),
            write_value(step.root, seen),
            TrueRandomSampling(),
            bandwidth,
            step=step,
        )


def test_each_node_chooses_of_its_own_and_all_arrive(step: Step) -> None:
    sent = choose(images(FRAMES), step, None, "cam00", "cam01")
    selection = read_value(Selection, sent.selection)
    files = read_value(ImageSet, sent.chosen).table["size_bytes"]
    assert sent.n_images == 6
    assert sent.n_bytes == files.sum()
    assert selection.size_bytes.tolist() == (files + 100).tolist()
    with disable_run_logger():
        carried = transfer.function(
            sent.chosen, None, LINK, LinkState(), ("cam00", "cam01"), None, step=step
        )
    table = read_value(pd.DataFrame, carried.arrivals)
    assert table["image_id"].tolist() == selection.image_id.tolist()
    assert table["node"].tolist() == ["cam00"] * 3 + ["cam01"] * 3
    assert carried.wire_bytes == sent.n_bytes + 6 * 100
    for _, own in table.groupby("node"):
        assert own["arrived_s"].tolist() == pytest.approx(
            (own["wire_bytes"].cumsum() / 1_000).tolist()
        )


def test_what_an_inbox_says_of_nodes_counts_before_names_and_groups(step: Step) -> None:
    pool = images(FRAMES, group="scene")
    table = pd.DataFrame({"image_id": pool.ids, "node": ["north"] * 8 + ["south"] * 4})
    told = write_value(step.root, table)
    sent = choose(pool, step, told, "north", "south")
    chosen = read_value(Selection, sent.selection).image_id
    assert [int(name[1:]) < 8 for name in chosen] == [True] * 3 + [False] * 3


def test_groups_are_nodes_where_nothing_else_says_it(step: Step) -> None:
    names = [f"/d/{k}.jpg" for k in range(8)]
    sent = choose(images(names, group=["x", "y"] * 4), step, None, "x", "y")
    assert sent.n_images == 6


def test_a_model_is_as_large_as_its_file_unless_the_link_says_so(step: Step) -> None:
    nothing = write_value(step.root, images([]))
    given = LINK.model_copy(update={"model_bytes": 5_000})
    with disable_run_logger():
        of_file, said = (
            transfer.function(nothing, nothing, link, LinkState(), step=step)
            for link in (LINK, given)
        )
    assert of_file.model_bytes == Path(nothing.uri).stat().st_size + 100
    assert (said.model_bytes, said.model_s) == (5_100, 5.1)
    kind = KINDS["carried"]
    assert kind.decode(kind.encode(said, step.root), step.root) == said
