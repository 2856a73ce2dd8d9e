"""Those who have keys of their own for the object store of the tests."""

from typing import Any

import s3fs

from deployments.local.identities import Identity
from deployments.local.seaweedfs import SeaweedFS

STORE = "site/a"
"""Prefix of the store that they have rights in."""

HOUR = "hour"
"""Prefix of the store of an hour with a hostile node."""

RING = "ring"
"""Prefix of the store of the whole way, from frames to the model that looks next."""

ROLLBACK = "rollback"
"""Prefix of the store of nodes that go back to an earlier model."""

IDENTITIES = (
    Identity("home", "site", STORE),
    Identity("worker", "gpu", STORE),
    Identity("node", "cam-1", STORE),
    Identity("annotator", "ann", STORE),
    Identity("reader", "chief", STORE),
    Identity("worker", "campaign", "campaign"),
    Identity("home", "hour", HOUR),
    Identity("annotator", "hour", HOUR),
    *(Identity("node", name, HOUR) for name in ("cam1", "cam2", "cam3", "bad")),
    Identity("home", "ring", RING),
    Identity("annotator", "ring", RING),
    *(Identity("node", name, RING) for name in ("pole-1", "pole-2")),
    Identity("home", "rollback", ROLLBACK),
    Identity("annotator", "rollback", ROLLBACK),
    *(Identity("node", name, ROLLBACK) for name in ("post-1", "post-2")),
)


def environment_of(store: SeaweedFS, access_key: str) -> dict[str, str]:
    """Return the variables with which a process has the keys of one of them."""
    return _identity(access_key).environment(store.address)


def files_of(store: SeaweedFS, access_key: str) -> Any:
    """Return the object store's file system with the keys of one of them."""
    identity = _identity(access_key)
    return s3fs.S3FileSystem(
        key=identity.access_key,
        secret=identity.secret_key,
        endpoint_url=store.address,
        use_listings_cache=False,
    )


def _identity(access_key: str) -> Identity:
    [identity] = (each for each in IDENTITIES if each.access_key == access_key)
    return identity
