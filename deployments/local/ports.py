"""Ports that nobody uses, remembered so that addresses stay what they were."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from deployments.local.service import is_running

ABOVE = 10_000
"""SeaweedFS takes for each of its ports also the one this far above it."""

DEFAULTS = {
    "labelling": {"http": 18081},
    "postgresql": {"sql": 15432},
    "prefect": {"api": 4200},
    "seaweedfs": {"s3": 18333, "master": 19333, "volume": 18080, "filer": 18888},
}
"""The ports of each service that has any."""


def free_port() -> int:
    """Return a port that is free, and so is the one 10,000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port + ABOVE < 2**16 and is_free(port):
            return port


def is_free(port: int) -> bool:
    """Return whether a port of this machine can be used, and the one 10,000 above it."""
    return all(_can_listen(each) for each in (port, port + ABOVE))


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def read_ports(folder: Path) -> dict[str, dict[str, int]]:
    """Return the ports of the stack in a folder; the defaults if it was never started."""
    file = folder / "ports.json"
    if not file.exists():
        return DEFAULTS
    ports: dict[str, dict[str, int]] = json.loads(file.read_text())
    return DEFAULTS | ports


def claim_ports(folder: Path) -> dict[str, dict[str, int]]:
    """Return and remember ports; those of a stopped service change where others took them."""
    ports = {
        service: {
            name: port if is_running(folder / service) or is_free(port) else free_port()
            for name, port in of_service.items()
        }
        for service, of_service in read_ports(folder).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ports.json").write_text(json.dumps(ports, indent=2))
    return ports
