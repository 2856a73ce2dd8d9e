"""Give a reader one input, and look at what becomes of it."""

from __future__ import annotations

import tempfile
import time
import traceback
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backhaul.errors import InputError
from fuzzing.reader import Reader
from fuzzing.tree import CANARY, Tree, write_tree

SEED = 20260
MOST_S = 5.0
"""Of a processor for one input: what takes longer is a hang, on a busy machine as well."""
STUCK_S = 4 * MOST_S
"""Of a clock: what takes longer waits for something that never comes."""
MOST_LINE = 2_000
"""Characters of a line of what is said."""
_UNCHANGED_SHARE = 0.02  # of the inputs, which are valid


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Args:
        number: Its number.
        refused: Whether anything was said of it.
        fault: What went wrong, empty if nothing did.
        seconds: How long a processor took for it.
        waited_s: How long it took by the clock.
    """

    number: int
    refused: bool
    fault: str
    seconds: float
    waited_s: float


def input_of(reader: Reader, number: int) -> Tree:
    """Return the input with this number; the same one at any time."""
    words = [SEED, zlib.crc32(reader.name.encode()), number]
    rng = np.random.default_rng(np.random.SeedSequence(words))
    tree = reader.seeds(rng)
    return tree if rng.random() < _UNCHANGED_SHARE else reader.mutate(tree, rng)


def give(reader: Reader, number: int) -> Outcome:
    """Give a reader the input with this number."""
    with tempfile.TemporaryDirectory(prefix="backhaul-fuzz-") as temporary:
        folder = Path(temporary) / "input"
        write_tree(input_of(reader, number), folder)
        said, fault = "", ""
        started, began = time.process_time(), time.monotonic()
        try:
            said = "\n".join(map(str, reader.read(folder)))
            fault = _wrong(said)
        except InputError as error:
            said = str(error) or "-"
            fault = _wrong(said)
        except (Exception, SystemExit):  # anything at all: that is what is looked for
            fault = traceback.format_exc(limit=-4)
        seconds, waited = time.process_time() - started, time.monotonic() - began
    if seconds > MOST_S or waited > STUCK_S:
        fault = f"took {seconds:.1f} s of a processor, and {waited:.1f} s in all"
    return Outcome(number, bool(said), fault[:3000], seconds, waited)


def _wrong(said: str) -> str:
    """Return what is wrong with what is said; empty if nothing is."""
    if CANARY in said:
        return f"repeats what is in a file of somebody else's: {said!r}"
    longest = max(said.split("\n"), key=len)
    if len(longest) > MOST_LINE:
        return f"a line of {len(longest)} characters: {longest[:200]!r}"
    return ""
