"""Versions of Python and of the packages, against what the project asks for."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from backhaul.health.check import Answer, failed, ok

EXTRAS = ("train", "report", "server")
"""Extras that a machine needs to run campaigns."""
SHOWN = ("prefect", "fastapi", "sqlalchemy", "torch", "ultralytics", "s3fs")
INSTALL = "python -m pip install -c constraints.txt -e '.[all]'  (in the checkout)"
_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@dataclass(frozen=True)
class Wanted:
    """Versions that the project requires."""

    python: str
    packages: tuple[str, ...]


def wanted() -> Wanted:
    """Return the requirements in pyproject.toml or, without it, of the installed package.

    An editable install keeps the requirements of the day it was made.
    """
    if _PROJECT.is_file():
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"]
        packages = [project["dependencies"], *(extras[name] for name in EXTRAS)]
        return Wanted(project["requires-python"], tuple(dict.fromkeys(chain(*packages))))
    return Wanted(
        metadata.metadata("backhaul")["Requires-Python"],
        tuple(metadata.requires("backhaul") or ()),
    )


def check_python(specifier: str) -> Answer:
    """Compare the version of this Python with a specifier such as ``>=3.11``."""
    version = platform.python_version()
    if SpecifierSet(specifier).contains(version, prereleases=True):
        return ok(f"Python {version}")
    return failed(
        f"Python {version}, expected {specifier}",
        "make a virtual environment with another Python: python3.11 -m venv .venv",
    )


def check_packages(requirements: Iterable[str]) -> Answer:
    """Compare the versions that are installed with requirements in the form of PEP 508."""
    needed = [Requirement(text) for text in requirements]
    needed = [each for each in needed if _applies(each)]
    versions = {each.name: _version(each.name) for each in needed}
    wrong = [
        f"{each.name} {versions[each.name] or 'is missing'}, expected {each.specifier}"
        for each in needed
        if not _fits(each, versions[each.name])
    ]
    if wrong:
        return failed("; ".join(wrong), INSTALL)
    shown = ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)
    return ok(f"all {len(needed)} as asked for: {shown}")


def _applies(requirement: Requirement) -> bool:
    extras = ("", *EXTRAS)
    return requirement.marker is None or any(
        requirement.marker.evaluate({"extra": name}) for name in extras
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fits(requirement: Requirement, version: str | None) -> bool:
    return version is not None and requirement.specifier.contains(version, prereleases=True)
