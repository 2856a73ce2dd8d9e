"""Who may do what in the object store: keys, and the policies of deployments/s3."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from backhaul.errors import InputError
from deployments.local.private import secret, write_private

POLICIES = Path(__file__).resolve().parents[1] / "s3"

Role = Literal["home", "worker", "node", "annotator", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a policy takes as it is: no wildcard, and no part of a path."""
PLACES = re.compile(r"BUCKET|STORE/|NODE")
PREFIX = re.compile(r"([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?")


@dataclass(frozen=True)
class Identity:
    """One who has keys of its own, and the rights of a role.

    Args:
        role: What it is for.
        name: Its name, of a node that of its folder in the inbox.
        store: The prefix of the store in the bucket; empty = the whole bucket.
        secret_key: What belongs to its access key.

    Raises:
        InputError: If a name or a prefix would widen the policy.
    """

    role: Role
    name: str
    store: str = ""
    secret_key: str = field(default_factory=secret, repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r}: expected letters, digits, '.', '_' and '-' as a name"
            )
        if not PREFIX.fullmatch(self.store) or ".." in self.store.split("/"):
            raise InputError(f"{self.store!r}: expected PREFIX or PREFIX/PREFIX as a store")

    @property
    def access_key(self) -> str:
        """Its access key."""
        return f"{self.role}-{self.name}"

    def policy(self, bucket: str) -> dict[str, Any]:
        """Return what it may do in a bucket, as a policy of AWS and MinIO."""
        text = (POLICIES / f"{self.role}.json").read_text(encoding="utf-8")
        places = {"BUCKET": bucket, "STORE/": f"{self.store}/".lstrip("/"), "NODE": self.name}
        filled = PLACES.sub(lambda word: places[word[0]], text)
        policy: dict[str, Any] = json.loads(filled)
        return policy

    def environment(self, address: str) -> dict[str, str]:
        """Return the variables with which an S3 client at that address acts for it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL_S3": address,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@dataclass(frozen=True)
class Keys:
    """The keys of those whom an operator has added, a file each.

    Args:
        folder: Where they lie, as ``ROLE/NAME.env``: lines that a shell reads.
    """

    folder: Path

    @property
    def identities(self) -> list[Identity]:
        """All who have keys."""
        return [self._read(path) for path in sorted(self.folder.glob("*/*.env"))]

    def file(self, role: Role, name: str) -> Path:
        """Return the file of one of them."""
        return self.folder / role / f"{name}.env"

    def add(self, identity: Identity, bucket: str, address: str) -> Path:
        """Write the keys of a new one, for nobody else to read, and return the file.

        Raises:
            InputError: If it has keys already.
        """
        file = self.file(identity.role, identity.name)
        if file.exists():
            raise InputError(f"{file}: {identity.role} {identity.name} has keys already")
        store = f"s3://{bucket}/{identity.store}".rstrip("/")
        variables = {**identity.environment(address), "BACKHAUL_STORE": store}
        write_private(file, "".join(f"{name}={value}\n" for name, value in variables.items()))
        return file

    @staticmethod
    def _read(path: Path) -> Identity:
        lines = path.read_text(encoding="utf-8").splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        role = next((role for role in ROLES if role == path.parent.name), None)
        if role is None or not {"AWS_SECRET_ACCESS_KEY", "BACKHAUL_STORE"} <= set(values):
            raise InputError(f"{path}: expected ROLE/NAME.env with the keys of one of {ROLES}")
        _, _, store = values["BACKHAUL_STORE"].removeprefix("s3://").partition("/")
        return Identity(role, path.stem, store, values["AWS_SECRET_ACCESS_KEY"])
