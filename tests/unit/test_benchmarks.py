"""The benchmarks run: what is measured must not rot."""

import pytest

from benchmarks.__main__ import main

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Ultralytics' and torch's, of their own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_every_benchmark_prints_a_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    main(scale=0.001)
    printed = capsys.readouterr().out
    for name in ("fusion", "inference", "k-center", "median-thresh", "rare-first", "split"):
        assert name in printed
