"""Who may do what in the object store: keys, and the policies of deployments/s3."""

from __future__ import annotations

import json
import re
import secrets
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
        number: Eight digits that tell further keys of one from its first; empty = its first.

    Raises:
        InputError: If a name or a prefix would widen the policy.
    """

    role: Role
    name: str
    store: str = ""
    secret_key: str = field(default_factory=secret, repr=False)
    number: str = ""

    @classmethod
    def further(cls, role: Role, name: str, store: str) -> Identity:
        """Return further keys of one that has some, to be used in their place."""
        return cls(role, name, store, number=secrets.token_hex(4))

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
        return "-".join(filter(None, (self.role, self.name, self.number)))

    @property
    def file_name(self) -> str:
        """Name of the file with its keys; no name of an identity has a ``+``."""
        return f"{'+'.join(filter(None, (self.name, self.number)))}.env"

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

    def file(self, identity: Identity) -> Path:
        """Return the file of one of them."""
        return self.folder / identity.role / identity.file_name

    def of(self, role: Role, name: str) -> list[Identity]:
        """Return all keys of one, which may have several while they are rotated."""
        return [each for each in self.identities if (each.role, each.name) == (role, name)]

    def add(self, identity: Identity, bucket: str, address: str) -> Path:
        """Write new keys of one, for nobody else to read, and return the file.

        Raises:
            InputError: If it has these keys already, or rights in another store.
        """
        file = self.file(identity)
        if file.exists():
            raise InputError(
                f"{file}: {identity.role} {identity.name} has keys already; --another makes "
                "further ones"
            )
        others = {each.store for each in self.of(identity.role, identity.name)}
        if others - {identity.store}:
            raise InputError(
                f"--store: {identity.role} {identity.name} has keys for {others.pop()!r}"
            )
        store = f"s3://{bucket}/{identity.store}".rstrip("/")
        variables = {**identity.environment(address), "BACKHAUL_STORE": store}
        write_private(file, "".join(f"{name}={value}\n" for name, value in variables.items()))
        return file

    def revoke(self, role: Role, name: str, all_but: str | None) -> list[str]:
        """Remove keys of one; return their ids.

        Args:
            role: What it is for.
            name: Its name.
            all_but: Id of the keys that it keeps; None = it keeps none.

        Raises:
            InputError: If it has none, or not those.
        """
        every = self.of(role, name)
        if not every:
            raise InputError(f"{role} {name}: has no keys in {self.folder}")
        ids = [each.access_key for each in every]
        if all_but is not None and all_but not in ids:
            raise InputError(f"--all-but {all_but}: {role} {name} has {', '.join(ids)}")
        gone = [each for each in every if each.access_key != all_but]
        for each in gone:
            self.file(each).unlink()
        return [each.access_key for each in gone]

    @staticmethod
    def _read(path: Path) -> Identity:
        lines = path.read_text(encoding="utf-8").splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        role = next((role for role in ROLES if role == path.parent.name), None)
        if role is None or not {"AWS_SECRET_ACCESS_KEY", "BACKHAUL_STORE"} <= set(values):
            raise InputError(f"{path}: expected ROLE/NAME.env with the keys of one of {ROLES}")
        _, _, store = values["BACKHAUL_STORE"].removeprefix("s3://").partition("/")
        name, _, number = path.stem.partition("+")
        return Identity(role, name, store, values["AWS_SECRET_ACCESS_KEY"], number)
