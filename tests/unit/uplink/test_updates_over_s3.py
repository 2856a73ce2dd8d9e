"""What is published comes over S3, by keys that may get and not list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publishing import Publisher, Taker
from tests.tiny_s3 import TinyS3
from tests.tinymodels import tiny_model
from tests.unit.uplink.conftest import OpenAt


def test_a_node_takes_a_model_over_s3_and_asks_cheaply_after_that(
    s3: TinyS3, open_at: OpenAt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.node.updates.check.try_model", lambda *_: None)
    publisher, home = Publisher(tmp_path / "home"), open_at(s3.port)
    taker = Taker(publisher, tmp_path / "node", home)
    assert taker.check() is None  # nothing is there, which these keys are told as 403

    published = publisher.put(tiny_model())
    for path in publisher.published.rglob("*"):
        if path.is_file():
            name = path.relative_to(publisher.root).as_posix()
            s3.objects[f"/edge/inbox/cam/{name}"] = path.read_bytes()
    ready = taker.check()
    assert ready is not None
    assert ready.taken.model == published.model.sha256

    before = home.traffic
    assert taker.check() is None
    gone = home.traffic - before
    assert gone.down_bytes < 600  # no root is newer (403), and the timestamp is the same (304)
    assert gone.up_bytes < 1_500
