"""The file that a shell reads to use the stack."""

from __future__ import annotations

import shlex
import sysconfig
from collections.abc import Mapping


def shell_file(variables: Mapping[str, str]) -> str:
    """Return lines that export the variables, and put the commands of our Python first."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    scripts = shlex.quote(sysconfig.get_path("scripts"))
    return "\n".join([*lines, f"export PATH={scripts}:$PATH", ""])
