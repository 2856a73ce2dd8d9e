"""Changes that make of a valid input one that nobody expects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from numpy.random import Generator

from fuzzing.tree import CANARY, Odd, Tree

T = TypeVar("T")
Change: TypeAlias = Callable[[bytes, Generator], bytes]

ODD_SHARE = 0.2
"""Inputs in which something else lies in place of a file."""
MOST_CHANGES = 4
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb"[A-Za-z_][\w.-]*")

NUMBERS = (
    b"nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"1e-320", b"9" * 5000, b"2147483648",
    b"18446744073709551616", b"1" + b"0" * 30, b"0x10", b"1_0", b"\xd9\xa3", b"", b"null",
    b"true", b"[1]", b"{}", b'"1"', b"1.5", b"Infinity", b"NaN",
)  # fmt: skip
"""What may stand in place of a number; the one without Latin digits is a number to Python."""

WORDS = (
    b"a" * 300, b"x" * 70_000, b"../../etc/passwd", b"/etc/passwd", b"/", b"..", b"~",
    b"~nouser", b"/dev/zero", b"/dev/stdin", b"2024-99-99", b"12:99:99", b"a\x00b", b"a\nb",
    b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"&a [*a]", b"*a", b"!!python/object:os.system",
    b"s3://x/y", b"con\r", b"%00", b"\xe2\x80\xae", b"yes", b"<<", b"__class__",
    b"../outside/secret.txt",
)  # fmt: skip
"""What may stand in place of a word."""

PIECES = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\t", b'"', b"'", b",", b";", b"#",
    b"{", b"}", b"[", b"]", b"<", b">", b"&x;", b"<!DOCTYPE a [<!ENTITY x 'yy'>]>", b"---\n",
    b"!!binary ", b"!!timestamp ", b"? ", b"\x1b[31m", b"\xc2\x85", b"\x0c", b"\x1c",
    b"*" * 100, b"\n" * 1000, b" " * 5000,
)  # fmt: skip
"""What may be put in between."""

NESTS = (b"[", b"{a: ", b'{"a":', b"[[", b"<a>", b"- ", b"&a [", b"(", b"? ", b"!!set {")
ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp037")


def mutate(tree: Tree, rng: Generator) -> Tree:
    """Return an input with one file changed in one to `MOST_CHANGES` ways, or in its kind."""
    changed = dict(tree)
    name = pick(sorted(changed), rng)
    if rng.random() < ODD_SHARE:
        changed[name] = pick(tuple(Odd), rng)
        return changed
    content = changed[name]
    if isinstance(content, bytes):
        for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
            content = pick(CHANGES, rng)(content, rng)
        changed[name] = content
    return changed


def pick(items: Sequence[T], rng: Generator) -> T:
    """Return one of the items."""
    return items[int(rng.integers(len(items)))]


def _flip(data: bytes, rng: Generator) -> bytes:
    mutable = bytearray(data or b"x")
    for _ in range(int(rng.integers(1, 5))):
        mutable[int(rng.integers(len(mutable)))] ^= 1 << int(rng.integers(8))
    return bytes(mutable)


def _span(data: bytes, rng: Generator) -> tuple[int, int]:
    start, end = sorted(rng.integers(0, len(data) + 1, size=2).tolist())
    return start, end


def _truncate(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _remove(data: bytes, rng: Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _splice(data: bytes, rng: Generator) -> bytes:
    (start, end), (place, _) = _span(data, rng), _span(data, rng)
    return data[:place] + data[start:end] + data[place:]


def _repeat(data: bytes, rng: Generator) -> bytes:
    start, end = _span(data, rng)
    times = min(int(rng.integers(2, 200)), 200_000 // max(1, end - start))
    return data[:start] + data[start:end] * times + data[end:]


def _insert(data: bytes, rng: Generator) -> bytes:
    place, _ = _span(data, rng)
    return data[:place] + pick(PIECES, rng) + data[place:]


def _nest(data: bytes, rng: Generator) -> bytes:
    place, _ = _span(data, rng)
    times = pick((5, 500, 20_000), rng)
    return data[:place] + pick(NESTS, rng) * times + data[place:]


def _replaced(pattern: re.Pattern[bytes], values: Sequence[bytes]) -> Change:
    def change(data: bytes, rng: Generator) -> bytes:
        found = list(pattern.finditer(data))
        if not found:
            return _insert(data, rng)
        start, end = pick(found, rng).span()
        return data[:start] + pick(values, rng) + data[end:]

    return change


def _swap_lines(data: bytes, rng: Generator) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    one, other = rng.integers(len(lines), size=2).tolist()
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _recode(data: bytes, rng: Generator) -> bytes:
    return data.decode("utf-8", "replace").encode(pick(ENCODINGS, rng), "replace")


def _canary(data: bytes, rng: Generator) -> bytes:
    """Replace a word by one that looks like the secret, but is the input's own."""
    return _replaced(_WORD, (CANARY[:4].encode(),))(data, rng)


CHANGES: tuple[Change, ...] = (
    _flip,
    _truncate,
    _remove,
    _splice,
    _repeat,
    _insert,
    _nest,
    _swap_lines,
    _recode,
    _canary,
    *[_replaced(_NUMBER, NUMBERS)] * 3,
    *[_replaced(_WORD, WORDS)] * 3,
)
"""Ways to change bytes; those that know the form of what they change come more often."""
