"""What annotators do in Label Studio, over its API, for tests."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.local.label_studio import LabelStudioServer

Region = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """The first project of a Label Studio, as its annotators see it.

    Args:
        server: The server.
    """

    server: LabelStudioServer

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """Return an answer."""
        headers = {"Authorization": f"Token {self.server.token}"}
        answer = httpx.request(
            method, f"{self.server.address}/api{path}", headers=headers, timeout=60, **given
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def project(self, title: str) -> int:
        """Return the number of the one project of that title."""
        [found] = [
            each
            for each in self.ask("GET", "/projects/", params={"page_size": 100})["results"]
            if each["title"] == title
        ]
        return int(found["id"])

    def tasks(self, title: str) -> list[dict[str, Any]]:
        """Return the tasks of a project, by number."""
        params = {"project": self.project(title), "fields": "all", "page_size": 100}
        found: list[dict[str, Any]] = self.ask("GET", "/tasks", params=params)["tasks"]
        return sorted(found, key=lambda task: int(task["id"]))

    def shown(self, task: dict[str, Any]) -> list[Region]:
        """Return a copy of the regions that a task begins with."""
        regions: list[Region] = copy.deepcopy(task["predictions"][0]["result"])
        return regions

    def submit(
        self, task: dict[str, Any], regions: Sequence[Region], **more: Any
    ) -> dict[str, Any]:
        """Submit an annotation; returns it."""
        body = {"result": list(regions), "lead_time": 10.0, **more}
        made: dict[str, Any] = self.ask("POST", f"/tasks/{task['id']}/annotations/", json=body)
        return made


def drawn(shown: Region, **value: float) -> Region:
    """Return a region as an annotator draws it, of the class of another one."""
    region = copy.deepcopy(shown)
    region["id"] = "drawn"
    region["value"] |= value
    return region
