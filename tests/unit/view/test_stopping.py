"""Ctrl-C, in processes of their own."""

import subprocess
import sys
import time

BEGIN = """
import os, signal, time
from backhaul.cli.view.stopping import stopping
"""
STOPPED = (
    BEGIN
    + """
stopping.install()
stopping.notes.append("workers go on")
with stopping.doing(lambda: print("cleared", flush=True), lambda: print("noted", flush=True)):
    os.kill(os.getpid(), signal.SIGINT)
    raise RuntimeError("as the training was ended, too")
"""
)
TWICE = (
    BEGIN
    + """
stopping.install()
with stopping.doing(lambda: None, lambda: time.sleep(60)):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""
)
IN_THE_BACKGROUND = (
    BEGIN
    + """
signal.signal(signal.SIGINT, signal.SIG_IGN)
stopping.install()
os.kill(os.getpid(), signal.SIGINT)
print("goes on")
"""
)


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, "run", "my cars.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_says_how_to_go_on_and_nothing_of_what_failed_with_it() -> None:
    ended = run(STOPPED)
    assert ended.returncode == 130
    assert ended.stdout == "cleared\nnoted\n"
    assert ended.stderr.splitlines() == [
        "stopped; what was computed is kept",
        "workers go on",
        "go on with: backhaul run 'my cars.yaml'",
    ]


def test_the_second_one_ends_it_at_once() -> None:
    started = time.monotonic()
    assert run(TWICE).returncode == 130
    assert time.monotonic() - started < 4


def test_where_it_is_ignored_it_stays_ignored() -> None:
    ended = run(IN_THE_BACKGROUND)
    assert (ended.returncode, ended.stdout) == (0, "goes on\n")
