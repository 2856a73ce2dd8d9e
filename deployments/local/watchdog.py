"""Ends the services below a folder when whoever holds our standard input is gone.

``python -m deployments.local.watchdog FOLDER``: tests start it, so that nothing is left of
them even if they are killed.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil

from deployments.local.service import find_process, tell, tree_of


def end_all(folder: Path) -> None:
    """Kill all services whose folders lie in this one, or in one of its own."""
    places = [*folder.glob("*/pid"), *folder.glob("*/*/pid")]
    found = [find_process(path.parent) for path in places]
    trees = [process for root in found if root for process in tree_of(root)]
    tell(trees, signal.SIGKILL)
    psutil.wait_procs(trees, timeout=30)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_all(Path(sys.argv[1]))
