"""What comes from outside ends in one line, whatever it is; `make fuzz` tries many more."""

import math
from dataclasses import replace

import pytest

from fuzzing.reader import Reader
from fuzzing.readers import READERS
from fuzzing.run import give

INPUTS = 60
QUICK = tuple(reader for reader in READERS if reader.share >= 0.05)


@pytest.mark.timeout(120)  # a hang ends here
@pytest.mark.parametrize("reader", QUICK, ids=lambda reader: reader.name)
def test_no_input_is_more_than_refused(reader: Reader) -> None:
    outcomes = [give(reader, number) for number in range(math.ceil(INPUTS * reader.share) + 1)]
    faults = {each.number: each.fault for each in outcomes if each.fault}
    assert not faults, "\n".join(f"{number}: {fault}" for number, fault in faults.items())


@pytest.mark.parametrize("reader", QUICK, ids=lambda reader: reader.name)
def test_valid_inputs_are_accepted(reader: Reader) -> None:
    unchanged = replace(reader, mutate=lambda tree, _: tree)
    assert not any(give(unchanged, number).refused for number in range(2))
