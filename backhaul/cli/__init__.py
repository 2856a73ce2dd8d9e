"""The `backhaul` command: the top layer, which imports the flows when a command needs them."""

from __future__ import annotations

import shlex
import sys

LONG = (("run",), ("hourly",), ("study",), ("analyze", "series"), ("analyze", "batches"))
"""Commands that take a while; they say at once that they begin."""


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 a run failed, 2 wrong input, 130 stopped."""
    given = sys.argv[1:]
    if "--help" not in given and any(tuple(given[: len(words)]) == words for words in LONG):
        _begin(given)
    from backhaul.cli.commands import run_app

    run_app()


def _begin(given: list[str]) -> None:
    """Say what was started, before the libraries that it needs are loaded."""
    from backhaul.cli.view.stopping import stopping

    stopping.install()
    sys.stderr.write(f"{shlex.join(['backhaul', *given])}\n")
    sys.stderr.flush()
