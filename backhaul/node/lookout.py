"""What the log of a node says while it runs."""

from __future__ import annotations

import logging
import time

from backhaul.node.running import Node

LOG = logging.getLogger(__name__)

EVERY_S = 60.0
FIRST_S = 5.0


class Lookout:
    """Logs how a node is, now and then, and what changes.

    Args:
        node: The node.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._due_s = time.monotonic() + FIRST_S
        self._problems: tuple[str, ...] = ()
        at = node.agent.standing
        names = ", ".join(policy.name for policy in at.rules.policies)
        LOG.info("node %s: model %s, policy %s", at.rules.node, at.rules.model, names)
        if len(at.queue):
            LOG.info("goes on: %d frames wait", len(at.queue))

    def tell(self, *, is_last: bool = False) -> None:
        """Log what is due."""
        now_s = time.monotonic()
        if now_s < self._due_s and not is_last:
            return
        self._due_s = now_s + EVERY_S
        status = self._node.status()
        totals = status["totals"]
        LOG.info(
            "%d seen, %d chosen, %d sent (%d bytes over the wire), %d given up, %d wait",
            totals["seen"],
            totals["chosen"],
            totals["sent"],
            totals["up_bytes"],
            totals["displaced"],
            status["waiting"],
        )
        told = (status[name] for name in ("source", "refused", "update_refused"))
        problems = tuple(filter(None, told))
        if problems != self._problems:
            for problem in problems:
                LOG.warning("%s", problem)
            self._problems = problems
