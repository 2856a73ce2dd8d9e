"""What a parent knows of its children on a real server."""

from uuid import UUID

import pytest
from prefect import flow, get_client

from flows.workpool import await_ends

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


@flow
def nothing() -> None:
    """End at once."""


def test_a_child_that_somebody_deleted_has_failed() -> None:
    with get_client(sync_client=True) as client:
        run: UUID = client.create_flow_run(nothing).id
        client.delete_flow_run(run)
        ended = await_ends(client, {run: "iqr"})
    assert ended["iqr"].state == "failed"
    assert ended["iqr"].error == "its flow run was deleted"
