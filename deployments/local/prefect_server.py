"""A Prefect server on PostgreSQL, behind one login."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import ClassVar

import httpx

from backhaul.errors import InputError
from deployments.local.service import BASICS, Service

USUAL_PORT = 4200


@dataclass
class PrefectServer(Service):
    """A server with its UI on this machine.

    Args:
        folder: Where its home and log lie.
        port: Port on 127.0.0.1.
        database_url: Address of its database, as SQLAlchemy takes it.
        login: ``name:password`` that the UI and every client must give; None = open.
    """

    port: int
    database_url: str = field(repr=False)
    login: str | None = field(repr=False)

    inherits: ClassVar[tuple[str, ...]] = (*BASICS, "*_proxy", "*_PROXY")

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            InputError: If the login is empty, or has no name or no password: for Prefect, such
                a server is open to all.
        """
        if self.login is not None and not all(self.login.strip().partition(":")):
            raise InputError(f"{self.title}: its login is empty, expected NAME:PASSWORD")
        super().prepare()

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "Prefect server"

    @property
    def address(self) -> str:
        """URL of the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """URL of the API."""
        return f"{self.address}/api"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        login = {} if self.login is None else {"PREFECT_API_AUTH_STRING": self.login}
        return {"PREFECT_API_URL": self.api_url} | login

    def command(self) -> list[str]:
        """Return the command; all that is secret goes by the environment."""
        return [
            *(sys.executable, "-m", "prefect", "server", "start"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
        ]

    def own_environment(self) -> dict[str, str]:
        """Return its settings."""
        settings = {
            "PREFECT_HOME": str(self.folder / "home"),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database_url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_UI_URL": self.address,  # for links in messages
        }
        if self.login is not None:
            settings["PREFECT_SERVER_API_AUTH_STRING"] = self.login
        if self.port != USUAL_PORT:  # the pages ask 4200 unless they are told
            settings["PREFECT_SERVER_UI_API_URL"] = self.api_url
        return settings

    def ready(self) -> bool:
        """Return whether the API answers."""
        try:
            return httpx.get(f"{self.api_url}/health").is_success
        except httpx.TransportError:
            return False
