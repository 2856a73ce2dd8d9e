"""What a Prefect server does by itself: crash zombies, wake triggers, raise an alarm.

``make automations`` (``python -m deployments.automations``) creates or updates them on the
server at ``PREFECT_API_URL``. It may be repeated: what is as it should be stays as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment, SendNotification
from prefect.events.schemas.automations import (
    Automation,
    AutomationCore,
    EventTrigger,
    Posture,
)
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from backhaul.errors import InputError
from flows.server.operation import (
    ALARM,
    LABELLED,
    MODEL,
    MODELS,
    NODES,
    PROBLEM,
    STUCK,
    WELL,
    ZOMBIES,
)

LABELS = "backhaul: ask the triggers on new labels"
EARLIER_LABELS = "backhaul: run on new labels"
"""What counted labels before; whatever makes automations removes it."""

HEARTBEAT = "prefect.flow-run.heartbeat"
ALL = "backhaul.all"
"""A label that no event has, so that all are counted together. Without `for_each` Prefect also
fires where no event ever came, again and again."""
SILENT = timedelta(seconds=90)
"""Three heartbeats that did not come."""
PENDING = timedelta(minutes=15)
"""How long a flow run may take to begin once a worker took it, to pull an image for example."""
OVER = (
    *("Completed", "CompletedWithFailures", "AwaitingLabels", "AwaitingApproval"),
    *("Failed", "Crashed", "Stuck", "Cancelled"),
    *("Scheduled", "AwaitingRetry", "Paused", "Suspended"),
)
"""States in which a flow run sends no heartbeats, and need not."""
ALARMING = ("CompletedWithFailures", "Failed", "Crashed", "Stuck")
WATCHED = ("campaign", "hourly", "triggers", "analyze", "fleet")
"""Flows that somebody, or a schedule, starts; they tell how their methods ended."""
MESSAGE = """\
{{ event.resource['prefect.resource.name'] }}: {{ event.resource['prefect.state-name'] }}
{{ event.resource['prefect.state-message'] }}
{{ (flow_run|ui_url) or flow_run.id }}"""
NODE_MESSAGE = """\
{{ event.resource['prefect.resource.name'] }}: {{ event.payload['text'] }}
{{ 'It is over.' if event.event == 'backhaul.problem.over' else 'It has begun.' }}"""
MODEL_MESSAGE = "{{ event.payload['text'] }}"
TO_KNOW = ("awaiting", "rolled-back")
"""What became of a version that somebody is to know at once: a person has to decide, or nodes
went back."""

_AT_ONCE: dict[str, Any] = {
    "posture": Posture.Reactive,
    "threshold": 1,
    "within": timedelta(0),
}
"""What lets a trigger fire with each event."""

PAUSE_S = 60
LEAST_PAUSE_S, MOST_DIGITS = 10, 6
WRONG_INPUT = 2


def crash_zombies(silent: timedelta = SILENT) -> AutomationCore:
    """Return what marks flow runs Crashed whose heartbeats began, and then stopped."""
    return _crash(
        ZOMBIES,
        "Their process or machine is gone. Retry them: they go on where they were.",
        after=HEARTBEAT,
        expect={HEARTBEAT, *_states(*OVER)},
        within=silent,
        state="Crashed",
        message=f"no heartbeat for {silent.total_seconds():.0f} s",
    )


def crash_stuck(pending: timedelta = PENDING) -> AutomationCore:
    """Return what crashes flow runs that a worker took, and that did not begin.

    They have sent no heartbeat yet, and whoever started them would wait without end. A campaign
    starts again what is Crashed before it began; for these perhaps no worker is there, so that
    their state has another name.
    """
    return _crash(
        STUCK,
        "Their worker is gone, or cannot start them. See its log, then retry them.",
        after="prefect.flow-run.Pending",
        expect={HEARTBEAT, *_states("Running", *OVER)},
        within=pending,
        state="Stuck",
        message=f"Pending for {pending.total_seconds():.0f} s",
    )


def _crash(
    name: str,
    description: str,
    after: str,
    expect: set[str],
    within: timedelta,
    state: str,
    message: str,
) -> AutomationCore:
    """Return what crashes a flow run when nothing of `expect` follows on `after`."""
    return AutomationCore(
        name=name,
        description=description,
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=_flow_runs(),
            for_each={"prefect.resource.id"},
            after={after},
            expect=expect,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name=state, message=message)],
    )


def wake_on_labels(deployment: UUID, pause: timedelta) -> AutomationCore:
    """Return what runs a deployment once labels have come, and then none for a while.

    Each label begins to wait anew, so that many of them wake it once, and none is forgotten.
    """
    seconds = f"{pause.total_seconds():.0f} s"
    return AutomationCore(
        name=LABELS,
        description=f"An event {LABELLED}, and none for {seconds} after it.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            for_each={ALL},
            after={LABELLED},
            expect={LABELLED},
            threshold=1,
            within=pause,
        ),
        actions=[RunDeployment(deployment_id=deployment)],
    )


def raise_alarm(block: UUID) -> AutomationCore:
    """Return what sends a message by a notification block when a flow run has failed."""
    watched = {"prefect.resource.role": "flow", "prefect.resource.name": [*WATCHED]}
    return _alarm(
        ALARM,
        "Flow runs that ended CompletedWithFailures, Failed, Crashed or Stuck.",
        EventTrigger(
            match=_flow_runs(),
            match_related=ResourceSpecification(watched),
            expect=_states(*ALARMING),
            **_AT_ONCE,
        ),
        block,
        MESSAGE,
    )


def alarm_on_nodes(block: UUID) -> AutomationCore:
    """Return what sends a message as a problem of a node begins, and as it ends."""
    return _alarm(
        NODES,
        "Problems of nodes and rollouts, which the flow `fleet` finds.",
        EventTrigger(match=_resources("backhaul.*"), expect={PROBLEM, WELL}, **_AT_ONCE),
        block,
        NODE_MESSAGE,
    )


def alarm_on_models(block: UUID) -> AutomationCore:
    """Return what sends a message when a version waits for a person, or was taken back."""
    events = {f"{MODEL}.{kind}" for kind in TO_KNOW}
    return _alarm(
        MODELS,
        "Versions of a run's model that wait for approval, or were taken back.",
        EventTrigger(match=_resources("backhaul.run.*"), expect=events, **_AT_ONCE),
        block,
        MODEL_MESSAGE,
    )


def _alarm(
    name: str, description: str, trigger: EventTrigger, block: UUID, message: str
) -> AutomationCore:
    send = SendNotification(block_document_id=block, subject="Backhaul", body=message)
    return AutomationCore(name=name, description=description, trigger=trigger, actions=[send])


def _states(*names: str) -> set[str]:
    """Return the events that say that a flow run has come to one of these states."""
    return {f"prefect.flow-run.{name}" for name in names}


def _flow_runs() -> ResourceSpecification:
    return _resources("prefect.flow-run.*")


def _resources(pattern: str) -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.id": pattern})


def automations(
    client: SyncPrefectClient, environment: Mapping[str, str]
) -> list[AutomationCore]:
    """Return what the environment asks for: what crashes runs always, the others as named.

    Raises:
        InputError: If a deployment or a block is not there.
    """
    wanted = [crash_zombies(), crash_stuck()]
    if pause := _pause(environment):
        name = environment.get("BACKHAUL_LABELLED_RUNS") or "triggers/triggers"
        wanted.append(wake_on_labels(_deployment(client, name), pause))
    if block := environment.get("BACKHAUL_ALARM_BLOCK"):
        alarms = (alarm_on_nodes, alarm_on_models, raise_alarm)
        wanted += [alarm(_block(client, block)) for alarm in alarms]
    return wanted


def _pause(environment: Mapping[str, str]) -> timedelta:
    """Return how long no label may have come before triggers are asked; 0 = they are not."""
    if environment.get("BACKHAUL_LABELLED") == "0":  # as it was switched off before
        return timedelta(0)
    text = environment.get("BACKHAUL_LABELLED_PAUSE_S") or str(PAUSE_S)
    seconds = int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else -1
    if seconds and seconds < LEAST_PAUSE_S:
        least = f"at least {LEAST_PAUSE_S} seconds, or 0"
        raise InputError(f"BACKHAUL_LABELLED_PAUSE_S: {text!r}: expected {least}")
    return timedelta(seconds=seconds)


def _deployment(client: SyncPrefectClient, name: str) -> UUID:
    try:
        return client.read_deployment_by_name(name).id
    except (ObjectNotFound, ValueError):
        raise InputError(
            f"no deployment {name}: make it with `prefect --no-prompt deploy --all`, or name "
            "another as FLOW/DEPLOYMENT in BACKHAUL_LABELLED_RUNS"
        ) from None


def _block(client: SyncPrefectClient, name: str) -> UUID:
    kind, _, own = name.partition("/")
    try:
        document = client.read_block_document_by_name(own, kind)
    except (ObjectNotFound, ValueError):
        raise InputError(
            f"BACKHAUL_ALARM_BLOCK: no block {name}: make it in the UI under Blocks, and name "
            "it as TYPE/NAME, for example slack-webhook/alarms"
        ) from None
    schema = document.block_schema
    if schema is None or "notify" not in schema.capabilities:
        raise InputError(f"BACKHAUL_ALARM_BLOCK: {name} sends no notifications")
    return document.id


def ensure(client: SyncPrefectClient, wanted: AutomationCore) -> str:
    """Create an automation, or change the one of its name; returns what was done.

    One that somebody switched off stays off, and one that is the same goes on counting.
    """
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return "created"
    known = found[0]
    if _essence(known) == _essence(wanted):
        return "unchanged"
    client.update_automation(known.id, wanted.model_copy(update={"enabled": known.enabled}))
    return "updated"


def _essence(automation: AutomationCore) -> object:
    """Return what an automation does, as plain data without ids of the server."""
    return automation.model_dump(include={"description", "trigger", "actions"})


def remove(client: SyncPrefectClient, name: str) -> list[Automation]:
    """Remove the automations of a name; returns those that there were."""
    found = client.read_automations_by_name(name)
    for automation in found:
        client.delete_automation(automation.id)
    return found


def apply(environment: Mapping[str, str]) -> None:
    """Create or update what the environment asks for, and say what was done.

    Raises:
        InputError: If the server, a deployment or a block is not there.
    """
    if not PREFECT_API_URL.value():
        raise InputError("PREFECT_API_URL is not set: expected the address of a Prefect server")
    with get_client(sync_client=True) as client:
        try:
            for wanted in automations(client, environment):
                _say(f"{wanted.name}: {ensure(client, wanted)}")
            _remove_old(client, environment)
        except httpx.HTTPError as error:
            raise InputError(f"{PREFECT_API_URL.value()}: {error}") from None


def _remove_old(client: SyncPrefectClient, environment: Mapping[str, str]) -> None:
    """Remove what wakes triggers if nobody wants it, and what counted labels before."""
    old = [EARLIER_LABELS, *([] if _pause(environment) else [LABELS])]
    for name in old:
        if remove(client, name):
            _say(f"{name}: removed")
    if environment.get("BACKHAUL_LABELLED", "0") != "0":
        _say(
            "BACKHAUL_LABELLED counts no labels any more: set `triggers: {kind: labelled, "
            "images: N}` in the run's config (docs/triggers.md)"
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Run the command. Exit codes: 0 done, 2 it cannot be done."""
    try:
        apply(os.environ)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
