"""What goes over the link in one round: images of the nodes up, then the new model down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from backhaul.arrays import IntArray, NameArray
from backhaul.link.clock import Clock
from backhaul.link.settings import Link
from backhaul.link.state import LinkState
from backhaul.link.transfer import Download, Upload, download, upload
from backhaul.values.artifacts import Artifact
from backhaul.values.columns import frame_of, names_of

if TYPE_CHECKING:
    import pandas as pd

LEAST_S = 1e-6
"""Who is later by less is not late: floats were added up."""


class Carried(BaseModel):
    """What went over the link in a round. Seconds are since its window began.

    Args:
        arrivals: Table with a row for each image, node after node in the order sent: image_id,
            node, begun_s, arrived_s, wire_bytes, resent_bytes.
        window: Number of the window.
        wire_bytes: Bytes of the images on the wire, with overhead and what was sent again.
        resent_bytes: Those that were sent again.
        link_busy_s: How long that took the links, of all nodes together.
        last_arrival_s: When the last image was at home; None if there was none.
        images_late: Images that were there only after the window.
        model_bytes: Bytes of the new model on the wire, of all nodes; 0 for none.
        model_s: When the last node had it; None if there was none.
        round_s: When the window of the next round begins.
        after: Where the links stand then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arrivals: Artifact
    window: int
    wire_bytes: int
    resent_bytes: int
    link_busy_s: float
    last_arrival_s: float | None
    images_late: int
    model_bytes: int
    model_s: float | None
    round_s: float
    after: LinkState


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the nodes sent and got in a round. Times are since the first midnight.

    Args:
        uploads: What became of the images, by node.
        downloads: How the new model came, by node; empty if there was none.
        before: Where the links stood.
        after: Where they stand now.
        span_s: When the window began and ended.
    """

    uploads: dict[str, Upload]
    downloads: dict[str, Download]
    before: LinkState
    after: LinkState
    span_s: tuple[float, float]

    def table(self, image_id: Mapping[str, NameArray]) -> pd.DataFrame:
        """Return a row for each image, see `Carried`.

        Args:
            image_id: The images that each node sent, in that order.
        """
        start_s, _ = self.span_s
        sent = [self.uploads[node] for node in image_id]
        columns = {
            "image_id": _joined(image_id.values()),
            "node": names_of(node for node, ids in image_id.items() for _ in ids),
            "begun_s": _joined(each.begun_s for each in sent) - start_s,
            "arrived_s": _joined(each.arrived_s for each in sent) - start_s,
            "wire_bytes": np.rint(_joined(each.wire_bytes for each in sent)).astype(np.int64),
            "resent_bytes": _joined(each.resent_bytes for each in sent).astype(np.int64),
        }
        return frame_of(columns, texts=("image_id", "node"))

    def carried(self, arrivals: Artifact) -> Carried:
        """Return what went over the link, with its stored table."""
        start_s, end_s = self.span_s
        ups, downs = self.uploads.values(), self.downloads.values()
        arrived = _joined(each.arrived_s for each in ups)
        return Carried(
            arrivals=arrivals,
            window=self.before.window,
            wire_bytes=round(_joined(each.wire_bytes for each in ups).sum()),
            resent_bytes=int(_joined(each.resent_bytes for each in ups).sum()),
            link_busy_s=sum(each.busy_s for each in ups),
            last_arrival_s=float(arrived.max() - start_s) if arrived.size else None,
            images_late=int(np.count_nonzero(arrived > end_s + LEAST_S)),
            model_bytes=round(sum(each.wire_bytes for each in downs)),
            model_s=max((each.arrived_s - start_s for each in downs), default=None),
            round_s=(self.after.window - self.before.window) * (end_s - start_s),
            after=self.after,
        )


def exchange(
    link: Link,
    before: LinkState,
    size_bytes: Mapping[str, IntArray],
    model_bytes: int | None,
    *,
    rng: np.random.Generator,
) -> Exchange:
    """Send the images of each node, and then the new model to all of them.

    All images arrive, late ones after the window. The model sets out when home has the last
    one: how long it trains is not counted. The next round is in the first window that begins
    when all nodes have the model.

    Args:
        link: The link of each node.
        before: Where the links stand.
        size_bytes: By node, the sizes of its images in the order sent, each of shape (n,).
        model_bytes: Size of the new model; None = there is none.
        rng: Draws the lost packets.
    """
    clock = Clock(link)
    start_s, end_s = clock.window(before.window)
    none = np.zeros(0, dtype=np.int64)
    uploads = {
        node: upload(link, before.ledger(node), size_bytes.get(node, none), start_s, rng=rng)
        for node in sorted({*before.ledgers, *size_bytes})
    }
    home_s = float(_joined(each.arrived_s for each in uploads.values()).max(initial=start_s))
    downloads = {
        node: download(link, sent.after, model_bytes, home_s, rng=rng)
        for node, sent in uploads.items()
        if model_bytes is not None
    }
    over_s = max([end_s, home_s, *(got.arrived_s for got in downloads.values())])
    ledgers = {node: each.after for node, each in (uploads | downloads).items()}
    after = LinkState(window=clock.window_at(over_s - LEAST_S), ledgers=ledgers)
    return Exchange(uploads, downloads, before, after, (start_s, end_s))


def _joined(columns: Iterable[Any]) -> Any:
    """Return columns as one, also if there are none."""
    return np.concatenate([np.zeros(0), *columns])
