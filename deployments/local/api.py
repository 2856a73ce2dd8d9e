"""The few questions that we ask a Prefect server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""Types of the states in which a flow run ends."""
POLL_S = 0.5


class Api:
    """A Prefect server's API.

    Args:
        environment: Has ``PREFECT_API_URL`` and, where the server has a login,
            ``PREFECT_API_AUTH_STRING``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._url = environment["PREFECT_API_URL"]
        name, _, password = environment.get("PREFECT_API_AUTH_STRING", "").partition(":")
        self._login = (name, password) if name else None

    def find(self, path: str, **criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what the server has at a path; 200 at most."""
        found: list[dict[str, Any]] = self._post(f"{path}/filter", criteria).json()
        return found

    def crash_running(self, reason: str) -> None:
        """Set the state of flow runs that nobody runs any more."""
        going_on = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
        state = {"type": "CRASHED", "name": "Crashed", "message": reason}
        runs = self.find("flow_runs", flow_runs=going_on)
        for run in runs:
            self._post(f"flow_runs/{run['id']}/set_state", {"state": state, "force": True})

    def run(
        self, deployment: str, parameters: Mapping[str, Any], patience_s: float = 3_600.0
    ) -> dict[str, Any]:
        """Run a deployment, and return the state in which its flow run ended.

        Args:
            deployment: As ``FLOW/DEPLOYMENT``.
            parameters: Those that are other than the deployment's own.
            patience_s: How long it is waited for.

        Raises:
            TimeoutError: If it goes on for longer.
        """
        found = self._get(f"deployments/name/{deployment}")
        values = {"parameters": {**found["parameters"], **parameters}}
        run = self._post(f"deployments/{found['id']}/create_flow_run", values).json()["id"]
        end_s = time.monotonic() + patience_s
        while (state := self._get(f"flow_runs/{run}")["state"])["type"] not in FINAL:
            if time.monotonic() > end_s:
                raise TimeoutError(
                    f"{deployment}: still {state['name']} after {patience_s:g} s"
                )
            time.sleep(POLL_S)
        return dict(state)

    def create(self, path: str, values: Mapping[str, Any]) -> bool:
        """Create something; returns False if it was there, and is left as it was."""
        answer = self._post(path, values, HTTPStatus.CONFLICT)
        return answer.status_code != HTTPStatus.CONFLICT

    def _get(self, path: str) -> dict[str, Any]:
        answer = httpx.get(f"{self._url}/{path}", auth=self._login, timeout=30)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def _post(
        self, path: str, values: Mapping[str, Any], allowed: HTTPStatus | None = None
    ) -> httpx.Response:
        answer = httpx.post(f"{self._url}/{path}", json=values, auth=self._login, timeout=30)
        if answer.status_code != allowed:
            answer.raise_for_status()
        return answer
