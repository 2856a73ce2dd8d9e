"""Watch a model at its work, and say when it has to go."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

MOST_DEATHS = 3
"""The process died so often in a look, with fewer than `CLEAN` good ones in between."""
MOST_FAILURES = 3
"""Looks in a row that fail."""
CLEAN = 32
"""Good looks after which earlier deaths are forgotten."""
TIMES = 100
"""Looks of which the times count."""
LEAST_TIMES = 32
_CHECKED_EVERY = 8


class Watch:
    """Watches a model.

    While it looks, a file is there. If the process dies then, the next one finds the file.
    Whoever kills an agent again and again may hit the looks of a good model: it goes only after
    three such deaths within few looks.

    Args:
        marker: That file.
        look_s: 95 % of looks must be faster.
    """

    def __init__(self, marker: Path, look_s: float) -> None:
        self._marker, self._look_s = marker, look_s
        self._times: deque[float] = deque(maxlen=TIMES)
        self._n_good, self._n_failed, self._n_looks = 0, 0, 0
        self._deaths = self._deaths_before()
        self.verdict = ""
        """Why the model has to go; empty = it may stay."""
        if self._deaths >= MOST_DEATHS:
            self.verdict = f"the process died {self._deaths} times while it looked"

    @contextmanager
    def look(self) -> Iterator[None]:
        """Watch one look."""
        self._marker.write_text(str(self._deaths))
        began_s = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._fail(error)
            raise
        finally:
            self._marker.unlink(missing_ok=True)
        self._pass(time.perf_counter() - began_s)

    def restart(self) -> None:
        """Watch another model from now on."""
        self._times.clear()
        self._n_good, self._n_failed, self._n_looks, self._deaths = 0, 0, 0, 0
        self.verdict = ""
        self._marker.unlink(missing_ok=True)

    def _fail(self, error: Exception) -> None:
        self._n_failed += 1
        if self._n_failed >= MOST_FAILURES:
            self.verdict = f"{self._n_failed} looks in a row failed: {error}"

    def _pass(self, took_s: float) -> None:
        self._n_failed = 0
        self._n_good += 1
        if self._n_good >= CLEAN:
            self._deaths = 0
        self._times.append(took_s)
        self._n_looks += 1
        if len(self._times) >= LEAST_TIMES and self._n_looks % _CHECKED_EVERY == 0:
            p95_s = float(np.quantile(self._times, 0.95))
            if p95_s > self._look_s:
                self.verdict = f"95 % of looks take up to {p95_s:.2f} s"

    def _deaths_before(self) -> int:
        deaths = 0
        with suppress(FileNotFoundError):
            text = self._marker.read_text(errors="replace")
            deaths = 1 + (int(text) if text.isdecimal() and text.isascii() else 0)
        return deaths
