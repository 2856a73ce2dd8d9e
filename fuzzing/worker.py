"""The process that reads: it is killed where one input takes too long."""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
from dataclasses import asdict

from fuzzing.readers import READERS
from fuzzing.run import STUCK_S, give, input_of

_ADDRESS_SPACE = 8 * 2**30
"""A reader that wants more gets a MemoryError, and the machine lives on."""


def main(name: str, first: int, end: int) -> None:
    """Give the reader the inputs from `first` on; print JSON before and after each."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    reader = next(each for each in READERS if each.name == name)
    input_of(reader, first)  # what is imported for it costs no time of an input's
    before = None
    for number in range(first, end):
        print(json.dumps({"begun": number}), flush=True)
        faulthandler.dump_traceback_later(STUCK_S, exit=True)
        outcome = give(reader, number)
        faulthandler.cancel_dump_traceback_later()
        before = _most_mb() if before is None else before  # what is imported late is no growth
        print(json.dumps(asdict(outcome) | {"growth_mb": _most_mb() - before}), flush=True)


def _most_mb() -> float:
    """Return the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
