"""Open home as settings say where it is."""

from __future__ import annotations

from backhaul.errors import InputError
from backhaul.untrusted import user_path
from backhaul.uplink.client import Bucket, Client, trusted_certificates
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import Home
from backhaul.uplink.keys import read_keys
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.settings import FolderUplink, S3Uplink, UplinkSettings
from backhaul.uplink.signature import Keys


def open_home(settings: UplinkSettings) -> Home:
    """Return home; nothing is sent yet.

    Raises:
        InputError: If there are no keys, no certificates, or something else than a folder.
    """
    match settings:
        case S3Uplink():
            return open_bucket(settings, read_keys(settings))
        case FolderUplink():
            folder = user_path(settings.folder)
            if folder.exists() and not folder.is_dir():
                raise InputError(f"uplink.folder: {folder}: expected a folder")
            return FolderHome(folder)


def open_bucket(settings: S3Uplink, keys: Keys) -> S3Home:
    """Return a bucket that is opened with keys; nothing is sent yet.

    Raises:
        InputError: If there are no certificates.
    """
    ca_file = None if settings.ca_file is None else user_path(settings.ca_file)
    client = Client(
        Bucket(
            settings.endpoint or f"https://s3.{settings.region}.amazonaws.com",
            settings.bucket,
            settings.region,
            in_host=settings.style == "virtual-host",
        ),
        keys,
        trusted_certificates(ca_file),
        stall_s=settings.stall_s,
        connect_s=settings.connect_s,
    )
    return S3Home(client, settings.prefix)
