import io

from backhaul.cli.view.plain import PlainView
from backhaul.events import Happening, MethodEnded, Place, RoundEnded, StageEnded

EXPECTED = """\
12:00:45  reading images, 300 of 420
12:00:46  warning: 3 images without labels are left out
12:00:47  cars: 3 methods x 2 batches
12:01:30  initial model: epoch 3 of 12, loss 2.50
12:01:31  initial model: trained 3 epochs in 0:43, loss 2.50, validation 2.75
12:01:35  initial model: mAP50 0.481
12:01:36  iqr batch 0: sent 30 of 100 images, 212 kB
12:01:38  iqr batch 0: mAP50 0.512 (+0.031), cached
12:01:40  iqr batch 1: sent 30 of 100 images, 198 kB
12:01:47  error: true-random batch 0: true-random failed: TrainingError: killed
"""


def written(recorded: list[Happening]) -> str:
    stream = io.StringIO()
    view = PlainView(stream)
    view.open()
    for happening in recorded:
        view.take(happening)
    view.close()
    return stream.getvalue()


def test_a_line_is_a_decision(recorded: list[Happening]) -> None:
    assert written(recorded) == EXPECTED
    assert max(map(len, EXPECTED.splitlines())) <= 80


def test_a_training_says_how_far_it_is_every_half_minute(recorded: list[Happening]) -> None:
    assert "epoch 2 of 12" not in EXPECTED
    stream = io.StringIO()
    view = PlainView(stream, every_s=0)
    for happening in recorded:
        view.take(happening)
    assert "epoch 2 of 12, loss 3.50" in stream.getvalue()


def test_a_training_that_was_over_before_this_start_has_no_epochs() -> None:
    place = Place("iqr", 0)
    said = written([Happening(StageEnded("training", 61.0, cached=False), place, 0.0)])
    assert said.rstrip().endswith("iqr batch 0: trained in 1:01")


def test_what_has_no_score_is_said_as_well() -> None:
    place = Place("iqr", 0)
    said = written(
        [
            Happening(RoundEnded(None, cached=False), place, 0.0),
            Happening(MethodEnded("completed"), Place("iqr"), 0.0),
        ]
    )
    assert said.splitlines()[0].endswith("iqr batch 0: mAP50 unknown")
    assert len(said.splitlines()) == 1
