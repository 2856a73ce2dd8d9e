"""How numbers are written in lines and tables of a view."""

from __future__ import annotations

from pathlib import Path

KILO = 1000


def duration(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are any.

    Example:
        >>> duration(75), duration(3675)
        ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(n_bytes: int) -> str:
    """Return a number of bytes in the unit that is easiest to read.

    Example:
        >>> size(950), size(212_400), size(34_500_000)
        ('950 B', '212 kB', '34.5 MB')
    """
    if n_bytes < KILO:
        return f"{n_bytes} B"
    if n_bytes < KILO**2:
        return f"{n_bytes / KILO:.0f} kB"
    return f"{n_bytes / KILO**2:,.1f} MB"


def scored(score: float | None, initial: float | None) -> str:
    """Return a score, with the gain over the initial model where that is known.

    Example:
        >>> scored(0.512, 0.481)
        '0.512 (+0.031)'
    """
    if score is None:
        return "unknown"
    gain = "" if initial is None else f" ({score - initial:+.3f})"
    return f"{score:.3f}{gain}"


def shortened(path: Path) -> str:
    """Return a path as it is seen from the working directory, if it lies below."""
    return path.as_posix().removeprefix(f"{Path.cwd().as_posix()}/")


def counted(number: int, what: str) -> str:
    """Return how many there are of something whose plural ends with s.

    Example:
        >>> counted(1, "method"), counted(2, "method")
        ('1 method', '2 methods')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
