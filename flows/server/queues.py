"""Queues of the work pools: which runs go to the workers first, and to which of them.

``python -m flows.server.queues GPUS`` creates or updates them on the server at
``PREFECT_API_URL``. It may be repeated.
"""

from __future__ import annotations

import sys

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient

HOURS = "hours"
"""Queue of what the hourly flow starts, and of itself."""
DEFAULT = "default"
"""Each pool's own queue, in which is what names no other."""


def queues_of_gpus(gpus: int) -> tuple[str, ...]:
    """Return the queues that stand for one GPU each, for runs that ask for that one."""
    return tuple(f"gpu-{number}" for number in range(gpus))


def ensure_queues(client: SyncPrefectClient, gpus: int) -> None:
    """Create the queues in their order: hours, then what asks for a GPU, and all else last.

    Queues of a GPU once had a limit of one run. Each of their workers takes one at a time, also
    of other queues.

    Args:
        client: Client of the Prefect server, which has the work pools `cpu` and `gpu`.
        gpus: How many GPUs have a queue.
    """
    for pool, names in (("cpu", ()), ("gpu", queues_of_gpus(gpus))):
        wanted = (HOURS, *names, DEFAULT)
        known = {queue.name for queue in client.read_work_queues(work_pool_name=pool)}
        for name in [name for name in wanted if name not in known]:
            client.create_work_queue(name, work_pool_name=pool)
        for priority, name in enumerate(wanted, start=1):
            # Read one by one: the server moves others when one gets their priority.
            queue = client.read_work_queue_by_name(name, work_pool_name=pool)
            limit = None if queue.concurrency_limit == 1 else queue.concurrency_limit
            if (queue.priority, queue.concurrency_limit) != (priority, limit):
                client.update_work_queue(queue.id, priority=priority, concurrency_limit=limit)


def main() -> None:
    """Run the command."""
    with get_client(sync_client=True) as client:
        ensure_queues(client, int(sys.argv[1]))


if __name__ == "__main__":
    main()
