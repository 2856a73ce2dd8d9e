"""XML files with labels: what kind one is, and its elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers.expat import ErrorString

from defusedxml.ElementTree import fromstring, iterparse

from backhaul.untrusted import (
    MOST_TABLE_BYTES,
    UnreadableFileError,
    open_file,
    read_bytes,
    understanding,
)

_HEAD_BYTES = 4096
_NO_ELEMENT = re.compile(r"<!--.*?-->|<\?.*?\?>|<![^>\[]*(\[.*?\]\s*)?>", re.DOTALL)
_ELEMENT = re.compile(r"<([A-Za-z_][\w.-]*)[\s/>]")
_OF_CVAT = ("version", "meta", "image", "track")
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


def root_tag(path: str) -> str:
    """Return the name of a file's root element, looking at its beginning alone.

    It is empty if that is no XML or cannot be read; which of them, the format's reader says.
    """
    return next(_tags(path), "")


def is_cvat(path: str) -> bool:
    """Return whether a file is one of CVAT: also others call their root ``annotations``."""
    tags = _tags(path)
    return next(tags, "") == "annotations" and next(tags, "") in _OF_CVAT


def _tags(path: str) -> Iterator[str]:
    """Yield the names of the elements that start at the beginning of a file."""
    try:
        with open_file(path, MOST_TABLE_BYTES) as file:
            head = file.read(_HEAD_BYTES)
    except UnreadableFileError:
        return
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    for element in _ELEMENT.finditer(_NO_ELEMENT.sub("", text)):
        yield element[1]


def read_tree(path: str) -> Any:
    """Return the root element of an XML file about one image.

    Raises:
        UnreadableFileError: If it cannot be read, or is no XML.
    """
    data = read_bytes(path)
    with _explaining(path, data[:_HEAD_BYTES]):
        return fromstring(data)


def elements(path: str, *tags: str) -> Iterator[Any]:
    """Yield those children of the root of a large XML file that have one of `tags`, in order.

    A child is emptied once the next is asked for, so that a file of any size can be read.

    Raises:
        UnreadableFileError: If the file cannot be read, or is no XML.
    """
    with open_file(path, MOST_TABLE_BYTES) as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        parents: list[Any] = []
        events = iterparse(file, events=("start", "end"))
        while True:
            with _explaining(path, head):
                event, node = next(events, ("", None))
            if not event:
                return
            if event == "start":
                parents.append(node)
                continue
            parents.pop()
            if len(parents) == 1:
                if getattr(node, "tag", "") in tags:
                    yield node
                parents[0].clear()


@contextmanager
def _explaining(path: str, head: bytes) -> Iterator[None]:
    """Turn what a parser of XML raises within the block into one line about the file."""
    with understanding(path):
        try:
            yield
        except ET.ParseError as error:
            line, column = error.position
            reason = f"expected XML: {ErrorString(error.code)}, line {line}, column {column}"
            raise UnreadableFileError(path, _encoding(head) or reason) from None
        except Exception as error:  # entities, depth, encodings of several bytes, ...
            reason = f"expected XML ({type(error).__name__})"
            raise UnreadableFileError(path, _encoding(head) or reason) from None


def _encoding(head: bytes) -> str | None:
    """Return what is wrong with the encoding that the beginning of a file declares, if so."""
    found = _ENCODING.search(head)
    if found is None:
        return None
    name = found[1].decode()
    try:
        ET.fromstring(f'<?xml version="1.0" encoding="{name}"?><a/>'.encode("ascii"))  # noqa: S314 - our own text
    except Exception:  # whatever expat and codecs raise
        if name.lower().replace("_", "-") in ("utf-16", "utf-16le", "utf-16be"):
            return None
        return f"its encoding is {name}, which is not understood; store it as UTF-8"
    return None
