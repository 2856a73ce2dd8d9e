"""Who gives a command."""

from __future__ import annotations

import getpass


def user_name() -> str:
    """Return the name of the user, as records keep it; ``a person`` where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no user of that number
        return "a person"
