"""The link by which a node sends, as an operator fills it in."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field

from backhaul.values.bandwidth import Bandwidth


class Uplink(Block):
    """What a node may send home of one batch. A config names it ``uplink: NAME``.

    It may be changed while a run goes on: the next batch is the first that it is for.
    """

    _block_type_name = "Uplink"
    _block_type_slug = "uplink"
    _description = "What an edge node may send home of one batch of images."

    bits_per_s: float | None = Field(
        None, gt=0, description="rate of the link, bit/s; empty = no limit in bytes"
    )
    seconds: float = Field(
        3600.0, gt=0, description="how long the link may be used for one batch, seconds"
    )
    share: float = Field(
        1.0, gt=0, le=1, description="fraction of the rate that images may take, (0, 1]"
    )
    images: int | None = Field(
        None, ge=0, description="most images a batch; empty = as many as the link takes"
    )

    @property
    def bandwidth(self) -> Bandwidth:
        """What one batch may send.

        Raises:
            ValueError: If it has neither a rate nor a number of images.
        """
        rate = self.bits_per_s
        n_bytes = None if rate is None else int(rate * self.share * self.seconds / 8)
        return Bandwidth(images=self.images, bytes=n_bytes)
