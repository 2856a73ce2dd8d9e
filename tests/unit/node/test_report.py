"""What a node reports of itself when home asks: bounded, and without a secret."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.node.logtail import MOST_LINES, LogTail
from backhaul.node.report import HIDDEN, Report, secrets_of
from backhaul.node.settings import NodeConfig
from backhaul.uplink.keys import key_text
from backhaul.uplink.privatefile import write_private
from backhaul.uplink.signature import Keys

KEYS = Keys("AKIDNODE", "signs+requests/of-the-node", "token-of-a-session")
SEALS, CAMERA, OTHER = "seals" * 9, "p4ss", "in-the-query"
PLANTED = (KEYS.secret, str(KEYS.token), SEALS, CAMERA, OTHER)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeConfig:
    write_private(tmp_path / "keys", key_text(KEYS, SEALS))
    monkeypatch.setenv("CAMERA_WORD", CAMERA)
    return NodeConfig.model_validate(
        {
            "node": "cam-1",
            "frames": {
                "kind": "camera",
                "address": f"rtsp://me:abc@cam.example/1?user=me&Password={OTHER}&channel=2",
                "password_variable": "CAMERA_WORD",
            },
            "model": "model.onnx",
            "uplink": {"kind": "s3", "bucket": "edge", "keys_file": str(tmp_path / "keys")},
        }
    )


def packed(config: NodeConfig, log: list[str], most_bytes: int = 64_000) -> dict[str, Any]:
    report = Report("1a", config, {"node": "cam-1", "refused": KEYS.secret}, {"gone": 2}, log)
    data = report.packed(most_bytes, secrets_of(config))
    assert len(data) <= most_bytes
    found: dict[str, Any] = json.loads(gzip.decompress(data))
    return found


def test_no_secret_is_in_it_wherever_it_stands(config: NodeConfig) -> None:
    log = [f"a line with {each} in it" for each in PLANTED]
    log.append("cannot open rtsp://admin:xy@10.0.0.4:554/live")
    log.append("cannot open rtsp://admin:an@sign@10.0.0.4/live?api-key=dashed&x-auth.word=dot")
    found = packed(config, log)
    text = json.dumps(found)
    for secret in (*PLANTED, ":abc@", ":xy@", "an@", "sign", "dashed", "dot"):
        assert secret not in text
    assert found["log"][0] == f"a line with {HIDDEN} in it"
    assert found["settings"]["frames"]["address"] == (
        f"rtsp://me:{HIDDEN}@cam.example/1?user=me&Password={HIDDEN}&channel=2"
    )
    assert found["settings"]["uplink"]["bucket"] == "edge"
    assert (found["question"], found["node"], found["journal"]) == ("1a", "cam-1", {"gone": 2})
    assert {"python", "backhaul", "numpy", "onnxruntime"} <= found["versions"].keys()


@pytest.mark.parametrize("place", range(330, 381, 5))
def test_no_part_of_a_secret_is_left_where_a_long_line_is_cut(
    config: NodeConfig, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log, tail = logging.getLogger("backhaul.node.some"), LogTail()
    for secret in (KEYS.secret, "rtsp://me:a-word-of-the-camera@cam/1"):
        log.warning("%s%s and so on", "x" * place, secret)
    tail.close()
    lines = packed(config, tail.lines())["log"]
    assert len(lines) == 2
    for line in lines:
        assert len(line) < 410
        assert not any(part in line for part in ("sig", "a-w", ":a-"))


def test_the_oldest_lines_are_left_out_where_it_would_be_too_large(config: NodeConfig) -> None:
    rng = np.random.default_rng(0)
    log = [f"{number} {rng.bytes(150).hex()}" for number in range(MOST_LINES)]
    found = packed(config, log)
    assert 50 < len(found["log"]) < MOST_LINES
    assert found["log"] == log[-len(found["log"]) :]
    assert len(packed(config, log, 2_000)["log"]) < 10
    assert packed(config, [])["log"] == []


def test_the_last_lines_of_the_log_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("backhaul.node.some"), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log, tail = logging.getLogger("backhaul.node.some"), LogTail()
    for number in range(MOST_LINES + 3):
        log.info("line %d", number)
    log.warning("\x1b[31mred\nand more %s", "x" * 1_000_000)
    with monkeypatch.context() as quietly:
        quietly.setattr(logging, "raiseExceptions", False)
        tail.handle(log.makeRecord(log.name, logging.INFO, "", 0, "%d frames", ("two",), None))
    tail.close()
    log.info("after its end")
    lines = tail.lines()
    assert len(lines) == MOST_LINES
    assert lines[0].endswith("INFO  line 4")
    assert "WARNING" in lines[-1]
    assert all(line.isprintable() and len(line) < 5_000 for line in lines)
