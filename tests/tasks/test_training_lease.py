"""A training whose worker was cut off must not write beside the one that took over."""

from pathlib import Path

import pytest

from backhaul.learn.settings import Training
from backhaul.learn.training.job import EpochDone, EpochRecord
from backhaul.storage.lease import LeaseLostError, lease
from tasks import stage, training
from tasks.training import ResumeState


def test_a_training_that_lost_its_lease_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"weights")
    record = EpochRecord(epoch=1, train_loss=1.0, valid_loss=1.0, mAP50=0.0, seconds=1.0)
    event = EpochDone(
        record=record, checkpoint=weights, sha256="0" * 64, state=weights, stop=None
    )
    store = tmp_path / "store"
    with lease(str(tmp_path / "leases"), "training-1", lambda holder, waited_s: None) as held:
        monkeypatch.setattr(held, "_lost", True)  # as the thread that renews it finds
        token = stage._own_lease.set(held)
        try:
            with pytest.raises(LeaseLostError, match="another goes on with it"):
                training._store_epoch(
                    event, ResumeState(), f"{store}/resume", Training(), str(store)
                )
        finally:
            stage._own_lease.reset(token)
    assert not store.exists()
    assert weights.exists()
