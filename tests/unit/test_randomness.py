import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from backhaul.randomness import generator


@given(st.integers(0, 2**63 - 1), st.lists(st.text() | st.integers(), max_size=4))
def test_same_path_gives_the_same_stream(seed: int, path: list[str | int]) -> None:
    first = generator(seed, *path).integers(2**62, size=4)
    assert first.tolist() == generator(seed, *path).integers(2**62, size=4).tolist()


def test_defect_05_every_method_and_batch_has_a_stream_of_its_own() -> None:
    streams = {
        tuple(generator(7, "sampling", method, batch).integers(2**62, size=2).tolist())
        for method in ("iqr", "normal", "random")
        for batch in range(5)
    }
    assert len(streams) == 15


def test_the_hash_seed_does_not_matter() -> None:
    code = "from backhaul.randomness import generator as g; print(g(3, 'split', 'x').random())"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
