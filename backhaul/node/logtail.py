"""The last lines of the log of a node, kept in memory for whoever asks."""

from __future__ import annotations

import logging
from collections import deque

from backhaul.untrusted import one_line

MOST_LINES = 500
_MOST_LINE = 400


class LogTail(logging.Handler):
    """Keeps the last lines that any part of the process logs, from now until it is closed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)s  %(message)s"))
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.append(one_line(self.format(record), _MOST_LINE))

    def lines(self) -> list[str]:
        """Return the lines, the oldest first."""
        return list(self._lines)

    def close(self) -> None:
        """Keep no more."""
        logging.getLogger().removeHandler(self)
        super().close()
