"""How large a store is."""

from __future__ import annotations

import time

from backhaul.health.check import Answer, ok
from backhaul.health.storage import Resolve
from backhaul.layout import INTERNAL
from backhaul.storage.places import filesystem

COUNT_S = 10.0
GB = 10**9


def check_size(address: str, resolve: Resolve, count_s: float = COUNT_S) -> Answer:
    """Say how many files a store has and how large they are, as far as was counted in time.

    Args:
        address: The store.
        resolve: Finds where it is.
        count_s: Time after which counting ends, seconds.
    """
    fs, path = filesystem(resolve(address))
    until = time.monotonic() + count_s
    n_files = n_bytes = computed = 0
    more = ""
    for folder, _, files in fs.walk(path, detail=True):
        sizes = [int(entry["size"] or 0) for entry in files.values()]
        n_files, n_bytes = n_files + len(sizes), n_bytes + sum(sizes)
        computed += sum(sizes) if f"/{INTERNAL}/" in f"{folder}/" else 0
        if time.monotonic() > until:
            more = "more than "
            break
    return ok(
        f"{more}{n_bytes / GB:.2f} GB in {n_files:,} files, {computed / GB:.2f} GB of them "
        f"computed (backhaul store prune --dry-run --store {address})"
    )
