"""Artifacts shown in Prefect's UI; nothing depends on them, so a server may refuse them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run, task_run

REFUSALS = (httpx.HTTPError, OSError, PrefectException)
"""How a Prefect server says that it does not take something, or is not there."""

Kind = Literal["markdown", "table", "progress"]


def show(kind: Kind, data: str | float, description: str, key: str | None = None) -> UUID:
    """Create an artifact of the current task or flow run, and return its id.

    Prefect's own functions leave a connection open each time, hence this one.

    Args:
        kind: What it is.
        data: Markdown, a table as JSON, or per cent.
        description: What it shows, in words.
        key: What its later versions have in common; None = there are none.
    """
    request = ArtifactCreate(
        type=kind,
        key=key,
        description=description,
        data=data,
        flow_run_id=_id(flow_run.id),
        task_run_id=_id(task_run.id),
    )
    with get_client(sync_client=True) as client:
        content = request.model_dump(mode="json", exclude_none=True)
        return UUID(client.request("POST", "/artifacts/", json=content).json()["id"])


def change(artifact: UUID, data: float) -> None:
    """Replace the data of an artifact."""
    with get_client(sync_client=True) as client:
        client.request(
            "PATCH", "/artifacts/{id}", json={"data": data}, path_params={"id": artifact}
        )


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(str(text))
