"""Label Studio in a folder, with one person who may do everything, and its token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import httpx

from backhaul.errors import InputError
from deployments.local.beside import LABELLING
from deployments.local.ports import is_free
from deployments.local.service import BASICS, Service

PERSON = "admin@backhaul.local"
TOKEN_LENGTH = 40
"""Most characters of a legacy access token."""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database.

    Args:
        port: Port on 127.0.0.1.
        user: Who opens it.
        password: The user's password.
        name: Name of the database.
    """

    port: int
    user: str
    password: str = field(repr=False)
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Label Studio finds it."""
        return {
            "DJANGO_DB": "default",
            "POSTGRE_HOST": "127.0.0.1",
            "POSTGRE_PORT": str(self.port),
            "POSTGRE_USER": self.user,
            "POSTGRE_PASSWORD": self.password,
            "POSTGRE_NAME": self.name,
        }


@dataclass
class LabelStudioServer(Service):
    """A server with its pages on this machine.

    Its own web server is one process, meant for a few people. Analytics, reports of errors and
    questions for newer versions are off.

    Args:
        folder: Where its pictures, its log, and without `database` its SQLite file lie.
        port: Port on 127.0.0.1.
        password: Of the person `PERSON`; it holds from the first start on.
        token: Legacy access token of that person, of `TOKEN_LENGTH` at most; the same.
        database: A database in PostgreSQL; None = SQLite.
    """

    port: int
    password: str = field(repr=False)
    token: str = field(repr=False)
    database: Database | None = None

    patience_s: ClassVar[float] = 300  # it makes its tables at the first start
    inherits: ClassVar[tuple[str, ...]] = BASICS

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "Label Studio"

    @property
    def address(self) -> str:
        """URL of its pages and of its API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {"LABEL_STUDIO_URL": self.address, "LABEL_STUDIO_API_KEY": self.token}

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            InputError: If its port is taken, as it would move to another one, or its packages
                cannot be installed here.
        """
        LABELLING.make()
        super().prepare()
        self.folder.chmod(0o700)
        if not is_free(self.port):
            raise InputError(f"{self.title}: port {self.port} is taken by another program")

    def command(self) -> list[str]:
        """Return the command; all that is secret goes by the environment."""
        sqlite = ["--database", str(self.folder / "labels.sqlite3")]
        return [
            *(
                str(LABELLING.program("label-studio")),
                "start",
                "--no-browser",
                "--log-level",
                "WARNING",
            ),
            *("--internal-host", "127.0.0.1", "--port", str(self.port)),
            *(sqlite if self.database is None else []),
        ]

    def own_environment(self) -> Mapping[str, str]:
        """Return its settings."""
        database = {} if self.database is None else self.database.environment
        return {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder / "data"),
            "LABEL_STUDIO_USERNAME": PERSON,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "COLLECT_ANALYTICS": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "LATEST_VERSION_CHECK": "false",
            **database,
        }

    def ready(self) -> bool:
        """Return whether it answers, and knows the token: another's would not."""
        try:
            headers = {"Authorization": f"Token {self.token}"}
            answer = httpx.get(f"{self.address}/api/current-user/whoami", headers=headers)
        except httpx.TransportError:
            return False
        return answer.is_success
