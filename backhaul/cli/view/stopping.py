"""What Ctrl-C does to a command that runs for long: it says how to go on, and ends at once.

Nothing is lost: whatever is stored is whole, and the next start takes it up, as after a kill.
That is why nothing waits here for a training or a server that the same Ctrl-C has ended.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPED = 130
PATIENCE_S = 5.0
"""How long a server may take to note that a run ends here."""


class Stopping:
    """Ends the command at the first Ctrl-C, in order; at the second without a word."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._leaving = False
        self._first: list[Callable[[], None]] = []
        self._last: list[Callable[[], None]] = []

    def install(self) -> None:
        """Take over Ctrl-C in this process, unless it runs where nobody may interrupt it."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupted)

    @contextmanager
    def doing(self, first: Callable[[], None], last: Callable[[], None]) -> Iterator[None]:
        """Register functions that are called if the command is stopped within the block.

        Args:
            first: Called before the person is told, to clear the screen.
            last: Called after that; it is given a few seconds.
        """
        self._first.append(first)
        self._last.append(last)
        try:
            yield
        finally:
            if self._leaving:  # what fails now, fails because of that: nobody needs to hear it
                threading.Event().wait()
            self._first.remove(first)
            self._last.remove(last)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._leaving:
            os._exit(STOPPED)
        self._leaving = True
        # In a thread: the main one may hold the terminal's lock, and then has to go on.
        threading.Thread(target=self._leave, name="stopping", daemon=True).start()

    def _leave(self) -> None:
        end = threading.Timer(PATIENCE_S, os._exit, (STOPPED,))
        end.daemon = True
        end.start()
        for call in self._first:
            call()
        for line in ("stopped; what was computed is kept", *self.notes, how_to_go_on()):
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        for call in self._last:
            with suppress(Exception):  # the person was told; no server has to answer
                call()
        os._exit(STOPPED)


def how_to_go_on() -> str:
    """Return the line that says how to start the command again."""
    return f"go on with: {shlex.join(['backhaul', *sys.argv[1:]])}"


stopping = Stopping()
"""That of this process."""
