"""PostgreSQL in a folder, run by an account without rights, open to who has its password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from backhaul.errors import InputError
from deployments.local.private import write_private
from deployments.local.service import Service, inherited

DEBIAN = Path("/usr/lib/postgresql")
USER = "backhaul"


def programs() -> Path | None:
    """Return the folder with initdb and postgres; None = they are not on this machine."""
    versions = [path.parent for path in DEBIAN.glob("*/bin/postgres")]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def unprivileged() -> pwd.struct_passwd | None:
    """Return the account that PostgreSQL runs as; None = the own, which is not root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]


@dataclass
class PostgreSQL(Service):
    """A database server on this machine; its data stay in the folder.

    Args:
        folder: Where data, password and log lie. Where the account that it runs as cannot
            get there, this becomes a link to a new folder below /var/lib.
        port: Port on 127.0.0.1.
        password: What who connects must know; it holds from the first start on.
    """

    port: int
    password: str = field(repr=False)

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # ends without waiting for clients
    kill_signal: ClassVar[signal.Signals] = signal.SIGQUIT  # SIGKILL leaves shared memory

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "PostgreSQL"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str) -> str:
        """Return the address of a database as SQLAlchemy takes it, with the password."""
        return f"postgresql+asyncpg://{USER}:{self.password}@{self.address}/{database}"

    def command(self) -> list[str]:
        """Return the command; it listens on TCP alone, as paths of sockets must be short."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        settings = [
            text for name, value in options.items() for text in ("-c", f"{name}={value}")
        ]
        return [self._program("postgres"), "-D", str(self._data), *settings]

    @property
    def _data(self) -> Path:
        return self.folder.resolve() / "data"

    def _program(self, name: str) -> str:
        folder = programs()
        if folder is None:
            raise InputError("PostgreSQL is not on this machine; `make services` installs it")
        return str(folder / name)

    def identity(self) -> dict[str, Any]:
        """Return as whom it runs, for `subprocess`."""
        account = unprivileged()
        if account is None:
            return {}
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def prepare(self) -> None:
        """Make the folder and an empty cluster, the first time."""
        self._make_folder()
        if self._data.exists():
            return
        password = self.folder.resolve() / "password"
        write_private(password, self.password)
        account = unprivileged()
        if account is not None:
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            os.chown(password, account.pw_uid, account.pw_gid)
        self._run("initdb", *self._cluster(password))
        password.unlink()

    def _make_folder(self) -> None:
        if not self.folder.exists() and unprivileged() and not _is_open(self.folder):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            place = tempfile.mkdtemp(prefix="backhaul-postgresql-", dir="/var/lib")
            self.folder.symlink_to(place)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _cluster(self, password: Path) -> list[str]:
        return [
            f"--pgdata={self._data}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
        ]

    def ready(self) -> bool:
        """Return whether it takes connections."""
        return self._call("pg_isready", *self._where).returncode == 0

    def create_database(self, name: str) -> str:
        """Make a database if it is not there, and return its address."""
        done = self._call("createdb", *self._where, name)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise InputError(f"PostgreSQL: {done.stderr.strip()}")
        return self.url(name)

    @property
    def _where(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            raise InputError(f"PostgreSQL: {program}: {done.stderr.strip()}")

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program(program), *arguments],
            env=inherited() | {"PGPASSWORD": self.password, "LC_ALL": "C"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self.identity(),
        )


def _is_open(folder: Path) -> bool:
    """Return whether everybody can get to a folder that may not be there yet."""
    there = [path for path in folder.absolute().parents if path.exists()]
    return all(path.stat().st_mode & 0o001 for path in there)
