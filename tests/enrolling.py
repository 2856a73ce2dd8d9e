"""Nodes that are enrolled at a small store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from backhaul.cli.node import node as commands
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from backhaul.settingsfile import fields_of, validated
from backhaul.uplink.signature import Keys
from backhaul.uplink.token import Token, encoded, token_of
from tests.tiny_s3 import KEY_ID, REGION, SECRET, TinyS3

NEW = Keys("AKIDNEW", "anotherSecret/of+the/tests")
MAIN = "/edge/site/nodes/cam-1"


def token_for(s3: TinyS3, **changes: Any) -> Token:
    fields: dict[str, Any] = {
        "node": "cam-1",
        "uplink": {
            "kind": "s3",
            "bucket": "edge",
            "prefix": "site",
            "endpoint": f"http://127.0.0.1:{s3.port}",
            "region": REGION,
            "stall_s": 5,
        },
        "keys": {"key_id": KEY_ID, "secret": SECRET},
        "expires_s": time.time() + 60,
        "settings": {"policies": [{"kind": "stream", "suppress": False}], "status_s": 5},
    }
    return token_of(**{**fields, **changes})


def enrol(token: Token | str, folder: Path, *options: str) -> str:
    """Run `backhaul node enrol -`, and return what it says."""
    text = token if isinstance(token, str) else encoded(token)
    words = ["enrol", "-", "--folder", str(folder), *options]
    done = CliRunner().invoke(commands, words, input=f"{text}\n")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def config_of(folder: Path) -> NodeConfig:
    return validated(
        folder / "node.yaml", NodeConfig, fields_of(folder / "node.yaml"), "a node"
    )


def status_of(s3: TinyS3) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(s3.objects.get(f"{MAIN}/status.json", b"{}"))
    return found


def run_until(node: Node, is_true: Callable[[], bool], seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    node.run(lambda: is_true() or time.monotonic() > end_s)
    assert is_true()
