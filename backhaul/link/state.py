"""Where the links of nodes stand between rounds, and what the next window may carry."""

from __future__ import annotations

from pydantic import Field

from backhaul.link.clock import Clock
from backhaul.link.ledger import Ledger
from backhaul.link.settings import Link
from backhaul.link.transfer import budget
from backhaul.settings import Part
from backhaul.values.bandwidth import ALL_NODES, Bandwidth


class LinkState(Part):
    """Where the links of the nodes stand between two rounds.

    Args:
        window: Number of the window in which the next round sends.
        ledgers: What is left of the allowances, by node; a node that is not there has sent
            nothing yet.
    """

    window: int = 0
    ledgers: dict[str, Ledger] = Field(default_factory=dict)

    def ledger(self, node: str) -> Ledger:
        """Return what a node has left."""
        return self.ledgers.get(node, Ledger())


def bandwidth_in_window(
    agreed: Bandwidth | None, link: Link, state: LinkState, node: str = ALL_NODES
) -> Bandwidth:
    """Return what a node may send in its next window: by the link, and by what was agreed.

    Bytes are those of files with the overhead of each.

    Args:
        agreed: Other limits, in images, bytes, or both; None = there are none.
        link: The link.
        state: Where it stands.
        node: Name of the node.
    """
    window = Clock(link).window(state.window)
    images, n_bytes = budget(link, state.ledger(node), *window)
    if agreed is None:
        return Bandwidth(images=images, bytes=n_bytes)
    return Bandwidth(
        images=min((n for n in (images, agreed.images) if n is not None), default=None),
        bytes=min((n for n in (n_bytes, agreed.bytes) if n is not None), default=None),
    )
