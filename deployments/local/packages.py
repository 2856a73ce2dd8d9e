"""Programs that pip does not bring: PostgreSQL and Chromium, by the system's packages."""

from __future__ import annotations

import os
import shutil
import subprocess

from backhaul.errors import InputError
from deployments.local.postgresql import programs

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing_packages() -> list[str]:
    """Return the Debian packages of what is not on this machine."""
    missing = [] if programs() else ["postgresql"]
    return missing if any(map(shutil.which, BROWSERS)) else [*missing, "chromium"]


def install(packages: list[str]) -> None:
    """Install Debian packages, with sudo where we are not root.

    Raises:
        InputError: If that cannot be done here; it says what to do by hand.
    """
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise InputError(f"there is no apt-get here; install by other means: {names}")
    rights = [] if os.geteuid() == 0 else ["sudo"]
    if rights and shutil.which("sudo") is None:
        raise InputError(f"neither root nor sudo; as root: apt-get install {names}")
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "--quiet"]
    for arguments in (["update"], ["install", "--no-install-recommends", *packages]):
        done = subprocess.run([*apt, *arguments], check=False)
        if done.returncode != 0:
            raise InputError(f"`apt-get {' '.join(arguments)}` failed; see above")
