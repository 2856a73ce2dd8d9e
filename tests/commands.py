"""Commands, called in this process."""

import typer
from typer.testing import CliRunner


def called(app: typer.Typer, *words: str) -> str:
    """Return what a command prints; what it raises is raised."""
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout
