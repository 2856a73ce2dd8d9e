"""A person's decision of a version that waits for one, as a form in Prefect's UI."""

from __future__ import annotations

from typing import Literal

from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Completed

from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.registry.decisions import answer
from backhaul.registrylayout import RegistryFiles
from blocks.opening import resolve
from blocks.patience import await_prefect
from flows.server.publish import publish_models


@flow(name="decide", flow_run_name="{decision}-version-{version}")
def decide(
    run: str,
    version: int,
    decision: Literal["approve", "reject"],
    reason: str,
    go_on: str | None = None,
) -> State[None]:
    """Accept or reject a version of a run's model that waits for approval.

    The round that trained it goes on with the next start of its run, from the cache: by the
    schedule of `hourly`, or at once if it is named here.

    Args:
        run: Folder of the run, in its store, or its s3:// or block:// address.
        version: Number of the version, as the state AwaitingApproval names it.
        decision: Whether nodes and later rounds may go on with it.
        reason: Why, in one line; it is kept with the version.
        go_on: A deployment to start then, for example hourly/hourly; None = none.

    Raises:
        InputError: If there is no such run, version or deployment, or it does not wait.
    """
    files = run_at(resolve(run))
    if files is None:
        raise InputError(f"{run}: expected the folder of a run in its store")
    if go_on is not None:
        _require_deployment(go_on)
    entry = answer(
        RegistryFiles(files), version, decision, by=f"flow run {flow_run.name}", reason=reason
    )
    publish_models(files)
    if go_on is not None:
        await_prefect(run_deployment)(go_on, timeout=0, as_subflow=False)
    after = f"{go_on} was started" if go_on else "the next start of its run goes on from it"
    return Completed(message=f"{files.name}@{version}: {entry.kind} by {entry.by}; {after}")


def _require_deployment(name: str) -> None:
    with get_client(sync_client=True) as client:
        try:
            await_prefect(client.read_deployment_by_name)(name)
        except (ObjectNotFound, ValueError):
            raise InputError(
                f"go_on: {name}: no such deployment: expected FLOW/DEPLOYMENT, for example "
                "hourly/hourly"
            ) from None
