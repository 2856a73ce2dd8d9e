"""The last lines of the log of a node, kept in memory for whoever asks."""

from __future__ import annotations

import logging
from collections import deque

from backhaul.untrusted import one_line

MOST_LINES = 500
_MOST_KEPT = 4_000
"""Characters of a line. It is cut to what is told only once secrets in it are hidden."""


class LogTail(logging.Handler):
    """Keeps the last lines that any part of the process logs, from now until it is closed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)s  %(message)s"))
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; one that cannot be made out of a call is told as other logs tell it."""
        try:
            self._lines.append(one_line(self.format(record), _MOST_KEPT))
        except Exception:  # a call with wrong arguments, of any library, must not end the agent
            self.handleError(record)

    def lines(self) -> list[str]:
        """Return the lines, the oldest first."""
        return list(self._lines)

    def close(self) -> None:
        """Keep no more."""
        logging.getLogger().removeHandler(self)
        super().close()
