"""Which checks there are, and in what order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backhaul.campaign.config import CampaignConfig
from backhaul.health import machine, nodekeys, software, storage
from backhaul.health.check import Answer, Check, not_asked, ok
from backhaul.health.size import check_size
from backhaul.storage.addresses import is_local
from backhaul.storage.localcopies import copies
from blocks.opening import BLOCK, resolve
from flows.server import health as server
from flows.server import operation

POOLS = ("cpu", "gpu")
_API, _AUTH, _STORE = "prefect api", "prefect auth", "store"


def all_checks(
    config: CampaignConfig | None, store: str | None, node_keys: Path | None = None
) -> tuple[Check, ...]:
    """Return the checks for a campaign, or for this machine alone.

    Args:
        config: The campaign; None = any.
        store: Root of the store; None = it is not looked at.
        node_keys: Lines with the keys of a node, to try what they may do.
    """
    return (
        *_software(),
        *_campaign(config),
        *_server(config),
        *_store(store, node_keys),
        *_machine(config, store),
    )


def _software() -> tuple[Check, ...]:
    wanted = software.wanted()
    return (
        Check("python", partial(software.check_python, wanted.python)),
        Check("packages", partial(software.check_packages, wanted.packages)),
    )


def _campaign(config: CampaignConfig | None) -> tuple[Check, ...]:
    if config is None:
        return ()
    methods = ", ".join(arm.label for arm in config.arms)
    return (
        Check("config", lambda: ok(f"{config.name} is valid: {methods}")),
        Check("data", partial(storage.check_data, config, resolve)),
    )


def _server(config: CampaignConfig | None) -> tuple[Check, ...]:
    execution = config.execution if config else None
    configured = server.configured_server()
    if configured is None:
        return (Check(_API, partial(server.check_no_server, execution)),)
    connection = (
        Check(_API, partial(server.check_api, configured)),
        Check(_AUTH, partial(server.check_auth, configured), needs=_API),
        Check("prefect version", partial(server.check_version, configured), needs=_AUTH),
        Check("clock (server)", partial(server.check_clock, configured), needs=_AUTH),
    )
    if execution == "local":
        reason = "execution is local: needs neither work pools nor deployments"
        return (*connection, Check("work pools", lambda: not_asked(reason)))
    pools = [
        Check(f"work pool {name}", partial(server.check_pool, configured, name), needs=_AUTH)
        for name in POOLS
    ]
    deployed = Check("deployments", partial(server.check_deployments, configured), needs=_AUTH)
    by_itself = (
        Check("waiting runs", partial(operation.check_waiting, configured, POOLS), needs=_AUTH),
        Check("automations", partial(operation.check_automations, configured), needs=_AUTH),
        Check("alarm", partial(operation.check_alarm, configured), needs=_AUTH),
        Check("prefect database", partial(operation.check_database, configured), needs=_AUTH),
    )
    return (*connection, *pools, deployed, *by_itself)


def _store(store: str | None, node_keys: Path | None) -> tuple[Check, ...]:
    if store is None:
        return (Check(_STORE, lambda: not_asked("give a CONFIG, or --store ADDRESS")),)
    in_block = _AUTH if store.startswith(BLOCK) else None
    check = Check(
        _STORE, partial(storage.check_store, store, resolve), needs=in_block, patience_s=20
    )
    size = Check("store size", partial(check_size, store, resolve), needs=_STORE, patience_s=20)
    if not store.startswith((BLOCK, "s3://")):
        return (check, size)
    clock = Check(
        "clock (store)", partial(storage.check_store_clock, store, resolve), needs=_STORE
    )
    tried = partial(nodekeys.check_node_keys, store, resolve, node_keys)
    return (check, clock, size, Check("node keys", tried, needs=_STORE, patience_s=20))


def _machine(config: CampaignConfig | None, store: str | None) -> tuple[Check, ...]:
    folders: dict[str, Callable[[], Path]] = {
        "cache": lambda: copies().folder,
        "temporary": lambda: Path(tempfile.gettempdir()),
    }
    if store is not None and is_local(store):
        folders = {"store": lambda: Path(store), **folders}
    device = config.training.device if config else "auto"
    return (
        Check("gpu", partial(machine.check_gpu, device), patience_s=60),  # imports PyTorch
        *(
            Check(f"disk ({name})", partial(_check_disk_of, find))
            for name, find in folders.items()
        ),
        Check("memory", machine.check_memory),
    )


def _check_disk_of(find: Callable[[], Path]) -> Answer:
    return machine.check_disk(find())
