"""Resolve names of blocks to addresses and to the keys of buckets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL

from backhaul.errors import InputError
from backhaul.storage.addresses import absolute
from backhaul.storage.places import open_bucket
from blocks.object_store import ObjectStore
from blocks.patience import await_prefect

B = TypeVar("B", bound=Block)

BLOCK = "block://"


def resolve(address: str) -> str:
    """Resolve `address` to an absolute path or a URL.

    ``block://NAME/path`` becomes the address in the `ObjectStore` of that name, whose keys this
    process then uses for its bucket.

    Raises:
        InputError: If there is no such block.
    """
    if not address.startswith(BLOCK):
        return absolute(address)
    name, _, path = address.removeprefix(BLOCK).partition("/")
    block = load_block(ObjectStore, name)
    if not open_bucket(block.bucket, block.options):
        raise InputError(
            f"{address}: bucket {block.bucket} is open with other keys or another endpoint: "
            "give both blocks the same, or use another bucket"
        )
    return f"{block.address}/{path}".rstrip("/")


def take_up_keys(addresses: Iterable[str]) -> None:
    """Use the keys of all blocks that `addresses` name from now on, in this process.

    Raises:
        InputError: If a block is gone.
    """
    for address in addresses:
        resolve(address)


def load_block(kind: type[B], name: str) -> B:
    """Return the block of that kind and name.

    Raises:
        InputError: If the Prefect server has none, or there is no server.
    """
    if not PREFECT_API_URL.value():
        raise InputError(
            f"block {kind.get_block_type_slug()}/{name}: lies on a Prefect server: set "
            "PREFECT_API_URL (`make up` starts one)"
        )
    try:
        block = await_prefect(kind.load)(name, _sync=True)  # type: ignore[call-arg] # see async_dispatch
    except ValueError:
        raise InputError(
            f"the Prefect server has no block {kind.get_block_type_slug()}/{name}: make it in "
            "the UI under Blocks, after `prefect block register -m blocks`"
        ) from None
    assert isinstance(block, kind)  # noqa: S101 - nothing else has that type
    return block


def place_of(root: str, folder: str) -> str:
    """Return where a folder is: below `root`, unless it has an address of its own."""
    if "://" in folder or folder.startswith("/"):
        return resolve(folder)
    return f"{absolute(root)}/{folder.strip('/')}"
