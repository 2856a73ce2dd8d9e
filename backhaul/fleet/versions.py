"""Which version of which run's model each node runs, and which it is to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backhaul.fleet.nodes import NodeView
from backhaul.fleet.rollout import ROLLOUT, SHORT_DIGEST, Rollout
from backhaul.layout import RunFiles, all_records
from backhaul.node.updates.release import in_cohort
from backhaul.nodelayout import rollout_place
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, read_log
from backhaul.registry.published import (
    OUT,
    PublishedVersion,
    models_published,
    published_versions,
)
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.listing import folders_in


@dataclass(frozen=True, slots=True)
class NodeVersion:
    """The version of a run's model on a node.

    Args:
        node: Name of the node.
        runs: The version that looks there, as it told last; None = a model of another origin.
        wanted: The version that it is to run; None = it may keep what it has.
        is_behind: Whether its model is not the wanted one.
    """

    node: str
    runs: int | None
    wanted: int | None
    is_behind: bool


def versions_on_nodes(
    entries: Sequence[Entry], group: str, plan: Rollout | None, fleet: Iterable[NodeView]
) -> dict[str, NodeVersion]:
    """Return the versions on the nodes of a group that told how they are, by node.

    Models are known by their digests, the first digits of which a node tells.

    Args:
        entries: The log of the run's registry.
        group: The group.
        plan: The rollout of the group as it stands; None without one.
        fleet: The nodes, as they told last.
    """
    known = published_versions(entries, group)
    numbers = {model[:SHORT_DIGEST]: v for model, v in models_published(entries).items()}
    history = history_of(entries)
    good = (history.canary, *reversed(history.champions))
    found = {}
    for view in fleet:
        if view.status is None or view.status.group != group:
            continue
        model = view.status.model[:SHORT_DIGEST]
        wanted = next(
            (
                version
                for version in good
                if version in known and _is_for(known[version], plan, view.name)
            ),
            None,
        )
        is_behind = wanted is not None and known[wanted].model[:SHORT_DIGEST] != model
        found[view.name] = NodeVersion(view.name, numbers.get(model), wanted, is_behind)
    return found


def named_versions(root: str, fleet: Sequence[NodeView]) -> dict[str, str]:
    """Return what people call the versions on nodes, ``RUN@VERSION``, by node.

    A node that is to run another one has that beside it. Of several runs that publish for one
    group, the last that did counts.

    Args:
        root: Root of the store.
        fleet: The nodes, as they told last.
    """
    last: dict[str, tuple[float, str]] = {}
    for run in folders_in(all_records(root)):
        entries = read_log(RegistryFiles(RunFiles(root, run)))
        at_s = {str(e.values.get("group")): e.at_s for e in entries if e.kind in OUT}
        for group, published_s in at_s.items():
            plan = ROLLOUT.read(rollout_place(root, group))
            for node, each in versions_on_nodes(entries, group, plan, fleet).items():
                if published_s > last.get(node, (0.0, ""))[0]:
                    last[node] = (published_s, _in_words(run, each))
    return {node: words for node, (_, words) in last.items() if words}


def _is_for(version: PublishedVersion, plan: Rollout | None, node: str) -> bool:
    if plan is None or plan.model != version.model or plan.state in {"done", "back"}:
        return True
    return in_cohort(version.model, node, plan.cohort)


def _in_words(run: str, found: NodeVersion) -> str:
    runs = "" if found.runs is None else f"{run}@{found.runs}"
    return f"{runs} (not yet {run}@{found.wanted})".strip() if found.is_behind else runs
