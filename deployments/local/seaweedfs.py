"""SeaweedFS, an S3 server in one program, with one bucket, open to who has keys alone."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import s3fs
from botocore.exceptions import BotoCoreError

from deployments.local.access import Access, Administrator
from deployments.local.identities import Identity
from deployments.local.service import Service

ACCESS_KEY = "backhaul"


@dataclass
class SeaweedFS(Service):
    """An S3 server on this machine; its objects stay in the folder.

    Args:
        folder: Where objects, keys and log lie.
        ports: Ports on 127.0.0.1 for ``s3``, ``master``, ``volume`` and ``filer``; those
            10,000 above them are taken, too.
        bucket: The bucket that it has.
        secret_key: What belongs to the access key ``backhaul``, which may do everything: it is
            home's, and that of the workers.
        identities: All others who have keys; a change takes a restart.
    """

    ports: Mapping[str, int]
    bucket: str
    secret_key: str = field(repr=False)
    identities: Sequence[Identity] = ()

    @property
    def title(self) -> str:
        """What a person calls it."""
        return "SeaweedFS (S3)"

    @property
    def address(self) -> str:
        """URL of the S3 service."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def filesystem(self) -> Any:
        """Its buckets as an fsspec filesystem."""
        return self._opened({})

    @property
    def access(self) -> Access:
        """What closes it to all who have no keys."""
        return Access(self.folder)

    def prepare(self) -> None:
        """Make the folder, for its owner alone, and the files with keys."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # objects lie in it as they are
        home = Administrator(ACCESS_KEY, self.secret_key)
        self.access.write(self.bucket, home, self.identities)

    def own_environment(self) -> dict[str, str]:
        """Return what closes its side ports."""
        return self.access.environment

    def command(self) -> list[str]:
        """Return the command; the ports that are 0 are of services that we do not use."""
        options = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.port": self.ports["s3"],
            "s3.config": self.access.rights,
            "s3.iam": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.port": self.ports["master"],
            "master.volumeSizeLimitMB": 256,
            "master.electionTimeout": "1s",
            "master.telemetry": "false",
            "volume.port": self.ports["volume"],
            "volume.max": 50,
            "volume.preStopSeconds": 0,
            "filer.port": self.ports["filer"],
        }
        weed = str(Path(sysconfig.get_path("scripts")) / "weed")
        settings = [f"-{name}={value}" for name, value in options.items()]
        return [weed, "server", "-filer", "-s3", "-disableHttp", *settings]

    def ready(self) -> bool:
        """Return whether the bucket takes a write, which is later than all ports answer."""
        files = self._opened({"retries": {"total_max_attempts": 1}})  # asked again soon
        try:
            if not files.exists(self.bucket):
                files.call_s3("create_bucket", Bucket=self.bucket)
            files.pipe_file(f"{self.bucket}/.ready", b"yes")
        except (OSError, BotoCoreError):  # botocore's own, where nobody listens yet
            return False
        return True

    def _opened(self, config: Mapping[str, Any]) -> Any:
        return s3fs.S3FileSystem(
            key=ACCESS_KEY,
            secret=self.secret_key,
            endpoint_url=self.address,
            use_listings_cache=False,
            config_kwargs=dict(config),
        )
