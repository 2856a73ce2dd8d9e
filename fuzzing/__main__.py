"""Give all readers many inputs, each reader in a process of its own: `make fuzz`.

python -m fuzzing [NUMBER [READER ...]]
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from fuzzing.readers import READERS
from fuzzing.run import STUCK_S

WANTED = 52_000
"""Inputs over all readers."""
MOST_GROWTH_MB = 1024
_SHOWN = 3  # faults of a reader
_HEAD = (
    "reader",
    "inputs",
    "accepted",
    "refused",
    "uncaught",
    "slowest s",  # of a processor
    "by clock s",
    "growth MB",
)


@dataclass
class Row:
    """What became of the inputs of a reader."""

    name: str
    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    longest_s: float = 0.0
    growth_mb: float = 0.0
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.faults) or self.growth_mb > MOST_GROWTH_MB

    def __str__(self) -> str:
        accepted = self.inputs - self.refused - len(self.faults)
        return _line(
            self.name,
            *(str(n) for n in (self.inputs, accepted, self.refused, len(self.faults))),
            f"{self.slowest_s:.2f}",
            f"{self.longest_s:.2f}",
            f"{self.growth_mb:.0f}",
        )


def _line(name: str, *cells: str) -> str:
    return f"{name:<18}" + "".join(f"{cell:>11}" for cell in cells)


def main(arguments: Sequence[str]) -> int:
    """Print a table and what went wrong; return 1 if anything did."""
    wanted = int(arguments[0]) if arguments else WANTED
    chosen = [r for r in READERS if not arguments[1:] or r.name in arguments[1:]]
    print(_line(*_HEAD))
    rows = []
    shares = sum(reader.share for reader in chosen)
    for reader in chosen:
        rows.append(_fuzzed(reader.name, math.ceil(wanted * reader.share / shares)))
        print(rows[-1], flush=True)
    print(f"{sum(row.inputs for row in rows)} inputs over {len(rows)} readers")
    for row in rows:
        for number, reason in [*row.faults.items()][:_SHOWN]:
            print(f"\n{row.name}, input {number}:\n{reason}")
    return int(any(row.failed for row in rows))


def _fuzzed(name: str, end: int) -> Row:
    """Give a reader its inputs; what kills the process is a fault, and the next ones follow."""
    row, first = Row(name), 0
    while first < end:
        command = [sys.executable, "-m", "fuzzing.worker", name, str(first), str(end)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        for report in reports:
            if "begun" not in report:
                _count(row, report)
        if not done.returncode:
            break
        last = reports[-1].get("begun", first) if reports else first
        row.inputs += 1
        row.faults[last] = (
            f"ended the process, at {STUCK_S:g} s or by itself:\n" + (done.stderr[-3000:])
        )
        first = last + 1
    return row


def _count(row: Row, report: dict[str, object]) -> None:
    row.inputs += 1
    row.slowest_s = max(row.slowest_s, float(str(report["seconds"])))
    row.longest_s = max(row.longest_s, float(str(report["waited_s"])))
    row.growth_mb = max(row.growth_mb, float(str(report["growth_mb"])))
    if report["fault"]:
        row.faults[int(str(report["number"]))] = str(report["fault"])
    elif report["refused"]:
        row.refused += 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
