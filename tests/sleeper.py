"""A service that does nothing, for tests of what services have in common."""

import sys
from dataclasses import dataclass

from deployments.local.service import Service


@dataclass
class Sleeper(Service):
    """A service that runs Python code."""

    code: str = "import time; print('awake', flush=True); time.sleep(600)"

    @property
    def title(self) -> str:
        return "sleeper"

    @property
    def address(self) -> str:
        return "nowhere"

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.code]

    def ready(self) -> bool:
        return self.log.exists() and "awake" in self.log.read_text()


PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("awake", flush=True)
time.sleep(600)
"""
