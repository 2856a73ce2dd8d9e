"""What closes SeaweedFS to all who have no keys: a file of rights, a certificate, tokens.

Beside S3 it has ports, by HTTP and gRPC, through which its parts talk to each other, and
through which anybody could read, write and delete without keys. Tokens alone do not close
them, as the master hands them out to who asks: HTTP of master and filer is switched off
(`-disableHttp`), that of the volumes asks for a token, and gRPC for the certificate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.local.certificates import own_certificate
from deployments.local.identities import Identity
from deployments.local.private import secret, write_private

PARTS = ("MASTER", "VOLUME", "FILER", "S3", "CLIENT")
TOKENS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
"""What its parts sign their requests to each other with, by HTTP."""
ADMIN_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")


@dataclass(frozen=True)
class Administrator:
    """The keys that may do everything: home's.

    Args:
        access_key: The access key.
        secret_key: What belongs to it.
    """

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Access:
    """The files that SeaweedFS is given, in a folder for its owner alone.

    Args:
        folder: Where they lie.
    """

    folder: Path

    @property
    def rights(self) -> Path:
        """Who has which keys, and may do what."""
        return self.folder / "s3.json"

    @property
    def certificate(self) -> Path:
        """What its parts show each other, and trust; its key lies beside it."""
        return self.folder / "grpc.pem"

    @property
    def key(self) -> Path:
        """The key of the certificate."""
        return self.folder / "grpc.key"

    def write(
        self, bucket: str, administrator: Administrator, identities: Iterable[Identity]
    ) -> None:
        """Write who may do what in a bucket; the certificate is made once.

        Args:
            bucket: The bucket that the policies name.
            administrator: Who may do everything, in all buckets.
            identities: All others.
        """
        everybody = _everybody(bucket, administrator, identities)
        write_private(self.rights, json.dumps(everybody, indent=1))
        if not self.key.exists():
            certificate, key = own_certificate("seaweedfs")
            write_private(self.certificate, certificate)
            write_private(self.key, key)

    @property
    def environment(self) -> dict[str, str]:
        """What the program reads from its environment; the tokens are new each time."""
        files = {
            f"WEED_GRPC_{part}_{kind}": str(path)
            for part in PARTS
            for kind, path in (("CERT", self.certificate), ("KEY", self.key))
        }
        tokens = {f"WEED_JWT_{name}_KEY": secret() for name in TOKENS}
        return {**files, **tokens, "WEED_GRPC_CA": str(self.certificate)}


def _everybody(
    bucket: str, administrator: Administrator, identities: Iterable[Identity]
) -> dict[str, Any]:
    keys = {"accessKey": administrator.access_key, "secretKey": administrator.secret_key}
    found = [{"name": "admin", "credentials": [keys], "actions": ADMIN_ACTIONS}]
    policies = []
    for each in identities:
        name = each.access_key
        own = {"accessKey": name, "secretKey": each.secret_key}
        found.append({"name": name, "credentials": [own], "policyNames": [name]})
        policies.append({"name": name, "content": json.dumps(each.policy(bucket))})
    return {"identities": found, "policies": policies}
