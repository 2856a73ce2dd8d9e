"""Checksums in JSON records, by which a changed byte is told from another content.

They are no protection from people: whoever can write a record can write its checksum.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from backhaul.errors import DamagedRecordError

CHECKSUM = "checksum"
"""Its key in a record. Records of earlier versions have none."""

_SCHEMA = "schema"  # says how to read the record, the checksum too: it is looked at before


def with_checksum(record: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its checksum added."""
    return {**record, CHECKSUM: _checksum(record)}


def without_checksum(record: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object without its checksum.

    Raises:
        DamagedRecordError: If it has one, of another content.
    """
    content = {key: value for key, value in record.items() if key != CHECKSUM}
    if CHECKSUM in record and record[CHECKSUM] != _checksum(content):
        raise DamagedRecordError("does not match its checksum")
    return content


def _checksum(record: dict[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != _SCHEMA}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
