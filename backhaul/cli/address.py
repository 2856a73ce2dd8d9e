"""Addresses that a person gives a command: of a bucket, or of a block that names one."""

from __future__ import annotations

from backhaul.cli.prefect import flows_at_hand
from backhaul.errors import InputError
from backhaul.storage.addresses import absolute

BLOCK = "block://"


def resolved(address: str) -> str:
    """Return the address that `address` stands for, with the keys of its block taken up.

    Raises:
        InputError: If there is no such block, or no Prefect server that would have it.
    """
    if "://" not in address:
        return absolute(address)
    with flows_at_hand():
        from prefect.settings import PREFECT_API_URL

        from blocks.opening import resolve
    if address.startswith(BLOCK) and not PREFECT_API_URL.value():
        raise InputError(
            f"{address}: is a block of a Prefect server: set PREFECT_API_URL, or give its "
            "s3:// address, with the keys in AWS_ACCESS_KEY_ID and so on"
        )
    return resolve(address)
