"""A few seconds of what `make fuzz` does with images."""

import pytest

from fuzzing.reader import Reader
from fuzzing.readers.images import READERS
from fuzzing.run import give

N_INPUTS = 100


@pytest.mark.filterwarnings("ignore")  # no training takes a warning for an error
@pytest.mark.train  # Ultralytics is imported
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_trainings_can_read_all_that_is_accepted(reader: Reader) -> None:
    outcomes = [give(reader, number) for number in range(N_INPUTS)]
    assert [outcome for outcome in outcomes if outcome.fault] == []
    n_refused = sum(outcome.refused for outcome in outcomes)
    assert 0.05 * N_INPUTS < n_refused < 0.95 * N_INPUTS
