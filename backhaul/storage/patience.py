"""Log that a service does not answer and is asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tenacity import RetryCallState

LOG = logging.getLogger(__name__)


def tell_of(who: str) -> Callable[[RetryCallState], None]:
    """Return a function that logs, before each retry, that `who` does not answer."""

    def tell(state: RetryCallState) -> None:
        assert state.outcome is not None  # noqa: S101 - tenacity calls this after a failure
        LOG.warning("%s does not answer (%s), once more", who, state.outcome.exception())

    return tell
