"""Readers of what nodes and home tell each other beside frames: tokens, wants, reports."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from numpy.random import Generator

from backhaul.fleet.bundle import files_of
from backhaul.node.wants import wants_of
from backhaul.untrusted import read_bytes, read_text
from backhaul.uplink.sealing import new_secret, seal
from backhaul.uplink.signature import Keys
from backhaul.uplink.token import decoded, encoded, token_of
from fuzzing.reader import Reader
from fuzzing.tree import Tree


def _token(_: Generator) -> Tree:
    token = token_of(
        node="cam",
        uplink={"kind": "s3", "bucket": "edge"},
        keys={"key_id": "AKID", "secret": "x"},
        expires_s=2e9,
    )
    return {"token": encoded(token).encode()}


def _read_token(folder: Path) -> Iterable[str]:
    decoded(read_text(folder / "token"))
    return ()


def _wants(_: Generator) -> Tree:
    sealed = seal(Keys("AKID", "x"), "cam", new_secret())
    wants = {"schema": 1, "frames": ["ab" * 32], "keys": sealed, "ask": "1a"}
    return {"wants.json": json.dumps(wants).encode()}


def _read_wants(folder: Path) -> Iterable[str]:
    wants_of(read_bytes(folder / "wants.json"))
    return ()


def _told(_: Generator) -> Tree:
    report = {"question": "1a", "node": "cam", "log": ["a line"], "status": {}}
    return {
        "nodes/cam/report.json.gz": gzip.compress(json.dumps(report).encode()),
        "nodes/cam/status.json": b'{"node": "cam", "keys": "0a0a0a0a"}',
        "nodes/cam/windows/0000000007-00112233445566aa.json": b'{"number": 7}',
    }


def _read_told(folder: Path) -> Iterable[str]:
    for text in files_of(str(folder), "cam").values():
        assert all(line.isprintable() for line in text.splitlines())
    return ()


READERS = (
    Reader("token", _token, _read_token),
    Reader("wants", _wants, _read_wants),
    Reader("report of a node", _told, _read_told, share=0.3),
)
