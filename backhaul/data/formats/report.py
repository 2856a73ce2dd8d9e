"""Result of reading a data set: its images, and its problems."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from backhaul.data.likeness import Hashes
from backhaul.errors import InputError
from backhaul.untrusted import one_line
from backhaul.values.images import ImageSet

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Those of a problem, the worst first."""
_SHOWN = 10
MOST_PATH, _MOST_REASON = 1_000, 500  # characters


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a file of a data set.

    Args:
        path: The file.
        line: Line of the file from 1, or None.
        reason: What is wrong, and what was expected.
        severity: An error stops a campaign. A warning does not: what it is about was left out
            or mended, as `reason` says. A note says how something was understood, and nothing
            is lost.
        image: The image whose labels it is about, if it is about those of one: its path, or,
            where there is no such image, what the file calls it. What is wrong is the same
            without it.
    """

    path: str
    line: int | None
    reason: str
    severity: Severity
    image: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", one_line(self.path, MOST_PATH))
        object.__setattr__(self, "reason", one_line(self.reason, _MOST_REASON))
        if self.image is not None:
            object.__setattr__(self, "image", one_line(self.image, MOST_PATH))

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.reason}"

    @property
    def place(self) -> str:
        """The file, and the line if there is one."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


def in_order(*problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return all problems, sorted by path and line."""
    every = [problem for some in problems for problem in some]
    return tuple(sorted(every, key=lambda problem: (problem.path, problem.line or 0)))


def worst_first(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems by their severity, and else in the order that they have."""
    return sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))


@dataclass(frozen=True, slots=True)
class DataReport:
    """A data set with the problems found while reading it.

    Args:
        images: All readable images, each content once, sorted by uri.
        problems: Sorted by path and line.
        hashes: What each image shows, see `backhaul.data.likeness`, in the order of the images;
            None unless all were decoded.
        partly: The paths of images with shapes of kinds that are not read: there may be
            objects in them beside those of their labels.
    """

    images: ImageSet
    problems: tuple[Problem, ...]
    hashes: Hashes | None = None
    partly: frozenset[str] = frozenset()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop a campaign."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def require_clean(self) -> None:
        """Do nothing if there are images and no errors.

        Raises:
            InputError: With the first ten errors, one a line, and how many there are.
        """
        errors = self.errors
        if not errors:
            if not len(self.images):
                worst = worst_first(self.problems)
                raise InputError(f"{worst[0]} (and no image can be read)")
            return
        n_files = len({problem.path for problem in errors})
        n_warnings = sum(problem.severity == "warning" for problem in self.problems)
        lines = [str(problem) for problem in errors[:_SHOWN]]
        if len(errors) > _SHOWN:
            lines.append(f"... and {len(errors) - _SHOWN} more")
        lines.append(
            f"{len(errors)} errors in {n_files} files, {n_warnings} warnings; "
            "`backhaul data check FOLDER` lists all"
        )
        raise InputError("\n".join(lines))
