"""Tokens and new keys for nodes, as home gives them out and remembers them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.errors import InputError
from backhaul.fleet.wants import ask
from backhaul.untrusted import MissingFileError, UnreadableFileError
from backhaul.uplink.keys import mark_of
from backhaul.uplink.privatefile import read_private, write_private
from backhaul.uplink.sealing import SealingSecret, seal
from backhaul.uplink.settings import S3Uplink
from backhaul.uplink.signature import Keys
from backhaul.uplink.token import NodeName, Token

MOST_GIVEN = 20
"""Ids of keys that are remembered of a node."""
_ADDRESS = "s3://"


class Given(BaseModel):
    """Keys that a node was given.

    Args:
        key_id: Their id, which is no secret.
        time_s: When, seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key_id: str
    time_s: float


class Enrolled(BaseModel):
    """What home remembers of a node that it made a token for.

    Args:
        schema_: Version of this record.
        node: Its name.
        secret: Seals keys for it, and came to it with its token.
        given: Keys that it was given, the oldest first; one or more.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    schema_: int = Field(1, alias="schema")
    node: NodeName
    secret: SealingSecret
    given: Annotated[tuple[Given, ...], Field(min_length=1)]

    @property
    def newest(self) -> Given:
        """The keys that it was given last."""
        return self.given[-1]

    def given_also(self, key_id: str, now_s: float) -> Enrolled:
        """Return the record once the node was given other keys, too."""
        others = tuple(each for each in self.given if each.key_id != key_id)
        given = (*others, Given(key_id=key_id, time_s=now_s))[-MOST_GIVEN:]
        return self.model_copy(update={"given": given})

    def id_of(self, mark: str) -> str | None:
        """Return the id of the keys that have a mark, as a status tells it; None = unknown."""
        known = {mark_of(each.key_id): each.key_id for each in self.given}
        return known.get(mark)


@dataclass(frozen=True)
class Records:
    """What home remembers of its nodes, a private file each; never in the store.

    Args:
        folder: Where they lie.
    """

    folder: Path

    def file(self, node: str) -> Path:
        """Return the file of a node."""
        return self.folder / f"{node}.json"

    def nodes(self) -> list[str]:
        """Return the names of the nodes that have one."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def read(self, node: str) -> Enrolled:
        """Return what is remembered of a node.

        Raises:
            InputError: If nothing is, others may read it, or it is damaged.
        """
        path = self.file(node)
        try:
            return Enrolled.model_validate_json(read_private(path))
        except MissingFileError:
            raise InputError(
                f"{path}: is not there: no token was made for {node} with this folder, see "
                "--secrets and backhaul fleet token"
            ) from None
        except ValidationError:
            raise UnreadableFileError(path, "is damaged, or of a newer version") from None

    def write(self, record: Enrolled) -> None:
        """Remember a node."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.file(record.node), record.model_dump_json(by_alias=True))

    def begin(self, token: Token, *, again: bool) -> None:
        """Remember a node that gets a token.

        Args:
            token: The token.
            again: Whether one that was made for the node before may be replaced.

        Raises:
            InputError: If it has a token, and may not get another.
        """
        file = self.file(token.node)
        if file.exists() and not again:
            raise InputError(
                f"{file}: {token.node} has a token already; --again makes another, and who was "
                "enrolled with the one before can be given no more keys"
            )
        given = (Given(key_id=token.keys.key_id, time_s=time.time()),)
        self.write(Enrolled(node=token.node, secret=token.sealing, given=given))


def uplink_of(
    lines: Mapping[str, str], store: str | None, given: Mapping[str, Any]
) -> S3Uplink:
    """Return where a node finds home, by the environment that an S3 client has.

    Args:
        lines: Variables, as `python -m deployments.keys` prints them.
        store: Address of the store; None = that of the variables.
        given: Fields that win over them, as ``endpoint``.

    Raises:
        InputError: If the store is no bucket, or a field is wrong.
    """
    address = store or lines.get("BACKHAUL_STORE", "")
    if not address.startswith(_ADDRESS):
        raise InputError(
            "--store: expected s3://BUCKET/PREFIX, or a line BACKHAUL_STORE in the file of "
            "--keys: a folder needs no keys, and so no token"
        )
    bucket, _, prefix = address.removeprefix(_ADDRESS).partition("/")
    found = {
        "endpoint": lines.get("AWS_ENDPOINT_URL_S3") or lines.get("AWS_ENDPOINT_URL"),
        "region": lines.get("AWS_DEFAULT_REGION") or lines.get("AWS_REGION"),
    }
    fields = {name: value for name, value in {**found, **given}.items() if value is not None}
    where = {"kind": "s3", "bucket": bucket, "prefix": prefix, "keys_file": None}
    try:
        return S3Uplink.model_validate(fields | where)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"uplink.{'.'.join(map(str, first['loc']))}: "
            f"{first['msg'].removeprefix('Value error, ')}"
        ) from None


def give_keys(root: str, records: Records, node: str, keys: Keys) -> Enrolled:
    """Seal keys for a node where it finds them; return what home remembers from now on.

    Home remembers them first: whenever this ends, keys that the node uses are known, and to do
    it again mends the rest.

    Args:
        root: Root of the store.
        records: What home remembers.
        node: Name of the node.
        keys: Its new keys. The old ones have to work until it has taken these.

    Raises:
        InputError: If no token was made for it, or the keys are in no form that it takes.
    """
    record = records.read(node)
    sealed = seal(keys, node, record.secret)
    record = record.given_also(keys.key_id, time.time())
    records.write(record)
    ask(root, node, keys=sealed)
    return record
