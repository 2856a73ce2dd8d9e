"""What a node tries at home while it is enrolled, before anything is written on the device."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version

from backhaul.node.wants import wants_of
from backhaul.nodelayout import enrolled_name, wants_name
from backhaul.uplink.home import Home, HomeRefusedError
from backhaul.uplink.keys import mark_of
from backhaul.uplink.sealing import SealedError, unseal
from backhaul.uplink.token import Token


def check_home(token: Token, home: Home) -> bool:
    """Write and read below the node's own prefix; return whether it reads what is published.

    Raises:
        LinkDownError: If home was not reached.
        HomeRefusedError: If it may not.
    """
    told = {
        "schema": 1,
        "node": token.node,
        "time_s": datetime.now(UTC).timestamp(),
        "agent": version("backhaul"),
        "keys": mark_of(token.keys.key_id),
    }
    data, name = json.dumps(told).encode(), enrolled_name(token.node)
    home.put(name, data)
    got = home.get(name)
    if got is None or got.data != data:
        raise HomeRefusedError(f"{name}: may be written, and not read")
    _forget_keys_of_before(token, home)
    return home.get("published/metadata/timestamp.json") is not None


def _forget_keys_of_before(token: Token, home: Home) -> None:
    """Take keys out of the node's wants that were sealed for an earlier token of its name.

    Nobody could ever open them, and the node would complain of them without end.
    """
    got = home.get(wants_name(token.node))
    sealed = "" if got is None or got.data is None else wants_of(got.data).keys
    if got is None or got.data is None or not sealed:
        return
    try:
        unseal(sealed, token.node, token.sealing)
    except SealedError:
        wants = {**json.loads(got.data), "keys": ""}
        home.put(wants_name(token.node), json.dumps(wants).encode())
