from pathlib import Path

import pytest

from backhaul.learn.training.job import EVENTS, EpochDone, EpochRecord


@pytest.mark.parametrize("loss", [1.5, float("inf"), float("nan")])
def test_a_diverged_training_can_say_so(loss: float) -> None:
    record = EpochRecord(epoch=1, train_loss=loss, valid_loss=loss, mAP50=0.0, seconds=1.0)
    event = EpochDone(record=record, checkpoint=None, sha256=None, state=Path("s"), stop=None)
    heard = EVENTS.validate_json(event.model_dump_json())
    assert isinstance(heard, EpochDone)
    assert heard.record.train_loss == pytest.approx(loss, nan_ok=True)
    assert heard.record.valid_loss == pytest.approx(loss, nan_ok=True)
