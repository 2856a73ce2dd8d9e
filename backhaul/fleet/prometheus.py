"""What nodes say of themselves, for Prometheus (text format, as its node exporter reads)."""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.fleet.nodes import NodeView

_GAUGES = {
    "waiting_frames": ("waiting", "Frames that wait to be sent."),
    "waiting_bytes": ("waiting_bytes", "What the files of frames that wait take of the disk."),
    "disk_free_bytes": ("disk_free_bytes", "Free bytes of the node's disk."),
    "last_frame_seconds": ("last_frame_s_ago", "Seconds since the source gave a frame."),
    "failures": ("failures", "Tries to send in a row that have failed."),
}
_COUNTERS = (
    "seen",
    "looked",
    "chosen",
    "sent",
    "passed_over",
    "displaced",
    "up_bytes",
    "down_bytes",
)


def exposition(fleet: Sequence[NodeView], now_s: float) -> str:
    """Return the state of all nodes in Prometheus' text format.

    Args:
        fleet: The nodes.
        now_s: The time, seconds since 1970.
    """
    lines = list[str]()

    def metric(name: str, kind: str, text: str, values: dict[str, float]) -> None:
        lines.append(f"# HELP backhaul_node_{name} {text}")
        lines.append(f"# TYPE backhaul_node_{name} {kind}")
        for node, value in values.items():
            lines.append(f'backhaul_node_{name}{{node="{_escaped(node)}"}} {_number(value)}')

    known = {view.name: view.status for view in fleet if view.status is not None}
    silent = {view.name: now_s - view.told_s for view in fleet}
    metric("silent_seconds", "gauge", "Seconds since the last status.", silent)
    problems = {view.name: float(len(view.problems)) for view in fleet}
    metric("problems", "gauge", "Problems that home sees.", problems)
    for name, (field, text) in _GAUGES.items():
        values = {node: float(getattr(status, field)) for node, status in known.items()}
        metric(name, "gauge", text, values)
    for name in _COUNTERS:
        values = {node: float(status.totals.get(name, 0)) for node, status in known.items()}
        metric(f"{name}_total", "counter", f"Since the node was set up: {name}.", values)
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Return all digits: of a counter of gigabytes, six would hide what an hour adds."""
    return str(int(value)) if value.is_integer() else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
