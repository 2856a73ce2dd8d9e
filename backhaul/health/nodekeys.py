"""What the keys of a node may do, tried with them: home's keys cannot tell."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from backhaul.errors import InputError, StoreError
from backhaul.health.check import Answer, Status, failed, not_asked, ok
from backhaul.health.storage import Resolve
from backhaul.layout import internal
from backhaul.storage.addresses import is_local
from backhaul.storage.places import code_of, filesystem, filesystem_with

REMEDY = "give every node keys of its own, with deployments/s3/node.json: see docs/security.md"
MOST_BYTES = 65536
_ACCESS, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_UNKNOWN_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
_REFUSALS = (OSError, BotoCoreError, ClientError, StoreError)


def check_node_keys(address: str, resolve: Resolve, file: Path | None) -> Answer:
    """Try to do with a node's keys what no node may, and say what could be done.

    Args:
        address: Root of the store.
        resolve: Returns where that is.
        file: Lines with the node's keys; None = there are none at hand.

    Raises:
        InputError: If there are no keys in the file.
    """
    root = resolve(address)
    if is_local(root):
        return not_asked("the store is a folder: who may write where is for its permissions")
    if file is None:
        return Answer(
            Status.NOT_ASKED,
            "whether nodes have keys of their own cannot be seen with these keys",
            f"backhaul doctor --store {address} --node-keys FILE  (a node's, as {_ACCESS}=...)",
        )
    node, _ = filesystem_with(root, *read_keys(file))
    with _victims(root) as victims:
        tries = _tries(node, root, victims)
        try:
            could = [what for what, act in tries.items() if _works(act)]
        except PermissionError as error:
            return failed(f"{file}: the keys are refused ({code_of(error)})", "mend the file")
    if len(could) == len(tries):
        return failed("one key does all: these keys of a node may do everything", REMEDY)
    if could:
        return failed(f"these keys of a node may {', '.join(could)}", REMEDY)
    return ok(f"these keys of a node may not {', '.join(tries)}")


def read_keys(file: Path) -> tuple[str, str]:
    """Return the access key and the secret key in a file of lines ``NAME=value``.

    Raises:
        InputError: If they are not there.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            text = lines.read(MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    pairs = (line.removeprefix("export ").split("=", 1) for line in text.splitlines())
    values = {pair[0].strip(): pair[-1].strip().strip("'\"") for pair in pairs}
    if not values.get(_ACCESS) or not values.get(_SECRET):
        raise InputError(f"{file}: expected lines {_ACCESS}=... and {_SECRET}=...")
    return values[_ACCESS], values[_SECRET]


@contextmanager
def _victims(root: str) -> Iterator[dict[str, str]]:
    """Meanwhile, there are small objects in places that no node may touch."""
    name = f"doctor-{uuid.uuid4().hex}"
    places = {
        "home": internal(root, f"{name}/object"),
        "labels": f"{root}/labels/{name}/object.txt",
        "inbox": f"{root}/inbox/{name}/object.part",  # which no ingestion looks at
    }
    home, _ = filesystem(root)
    try:
        for uri in places.values():
            _put(home, uri)
        yield places
    finally:
        for uri in places.values():
            with suppress(*_REFUSALS):
                home.rm_file(uri.removeprefix("s3://"))


def _put(home: Any, uri: str) -> None:
    try:
        home.pipe_file(uri.removeprefix("s3://"), b"as it was")
    except PermissionError:
        place = uri.rpartition("/")[0]
        raise InputError(f"{place}: cannot be written: ask with home's keys") from None


def _tries(node: Any, root: str, victims: dict[str, str]) -> dict[str, Callable[[], object]]:
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    key = {name: uri.removeprefix(f"s3://{bucket}/") for name, uri in victims.items()}

    def call(method: str, name: str, **arguments: Any) -> Callable[[], object]:
        return lambda: node.call_s3(method, Bucket=bucket, Key=key[name], **arguments)

    return {
        "list the store": lambda: node.call_s3(
            "list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1
        ),
        "read what is home's": call("get_object", "home"),
        "overwrite what is home's": call("put_object", "home", Body=b"overwritten"),
        "write labels": call("put_object", "labels", Body=b"overwritten"),
        "write into another inbox": call("put_object", "inbox", Body=b"overwritten"),
        "delete": call("delete_object", "home"),
    }


def _works(act: Callable[[], object]) -> bool:
    """Return whether the store does it.

    Raises:
        PermissionError: If it does not know the keys at all.
    """
    try:
        act()
    except PermissionError as error:
        if code_of(error) in _UNKNOWN_KEYS:
            raise
        return False
    return True
