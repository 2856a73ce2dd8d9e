"""What an ONNX file is made of, read without running it or loading the library `onnx`.

Of a model that comes over a link, its file alone is signed: it must not name files beside it
(external data), nor operators that code of somebody's has to bring.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from backhaul.errors import InputError
from backhaul.untrusted import one_line

_Value: TypeAlias = int | memoryview

STANDARD_DOMAINS = ("", "ai.onnx")
_MOST_DEPTH = 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_SHIFT = 63

# Numbers of fields in onnx.proto3, by message.
_GRAPH, _FUNCTIONS = 7, 25  # ModelProto
_NODES, _INITIALIZERS, _SPARSE_INITIALIZERS = 1, 5, 15  # GraphProto
_ATTRIBUTES, _DOMAIN = 5, 7  # NodeProto
_FUNCTION_NODES = 7  # FunctionProto
_TENSOR_OF, _GRAPH_OF, _TENSORS_OF, _GRAPHS_OF = 5, 6, 10, 11  # AttributeProto
_SPARSE_OF, _SPARSES_OF = 22, 23
_VALUES, _INDICES = 1, 2  # SparseTensorProto
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # TensorProto


def require_self_contained(data: bytes, where: object) -> None:
    """Do nothing if a model needs no other file, and standard operators alone.

    Args:
        data: Content of the ONNX file.
        where: The file, for errors.

    Raises:
        InputError: If it needs more, or is no ONNX file.
    """
    try:
        for number, value in _fields(memoryview(data)):
            if number == _GRAPH:
                _check_graph(value, where, 0)
            elif number == _FUNCTIONS:
                _check_nodes(value, _FUNCTION_NODES, where, 0)
    except InputError:
        raise
    except (IndexError, ValueError, TypeError):
        raise InputError(f"{where}: is no whole ONNX file") from None


def _check_graph(graph: _Value, where: object, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise ValueError("graphs within graphs")
    _check_nodes(graph, _NODES, where, depth)
    for number, value in _fields(graph):
        if number == _INITIALIZERS:
            _check_tensor(value, where)
        elif number == _SPARSE_INITIALIZERS:
            _check_sparse(value, where)


def _check_nodes(holder: _Value, field: int, where: object, depth: int) -> None:
    for number, node in _fields(holder):
        if number == field:
            _check_node(node, where, depth)


def _check_node(node: _Value, where: object, depth: int) -> None:
    for number, value in _fields(node):
        if number == _DOMAIN:
            domain = bytes(_message(value)).decode("utf-8", "replace")
            if domain not in STANDARD_DOMAINS:
                raise InputError(
                    f"{where}: has an operator of {one_line(domain)}, expected those of ONNX"
                )
        elif number == _ATTRIBUTES:
            _check_attribute(value, where, depth)


def _check_attribute(attribute: _Value, where: object, depth: int) -> None:
    for number, value in _fields(attribute):
        if number in (_TENSOR_OF, _TENSORS_OF):
            _check_tensor(value, where)
        elif number in (_SPARSE_OF, _SPARSES_OF):
            _check_sparse(value, where)
        elif number in (_GRAPH_OF, _GRAPHS_OF):
            _check_graph(value, where, depth + 1)


def _check_sparse(sparse: _Value, where: object) -> None:
    for number, value in _fields(sparse):
        if number in (_VALUES, _INDICES):
            _check_tensor(value, where)


def _check_tensor(tensor: _Value, where: object) -> None:
    for number, value in _fields(tensor):
        if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
            raise InputError(f"{where}: has weights in another file, expected all in one")


def _message(value: _Value) -> memoryview:
    if isinstance(value, int):
        raise TypeError("expected a message")
    return value


def _fields(message: _Value) -> Iterator[tuple[int, _Value]]:
    """Yield numbers and values of the fields of a message (Protocol Buffers' wire format)."""
    data = _message(message)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        n_bytes = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if n_bytes is None:
            if kind != _BYTES:
                raise ValueError("unknown kind of field")
            n_bytes, at = _varint(data, at)
        if at + n_bytes > len(data):
            raise ValueError("cut off")
        yield number, data[at : at + n_bytes]
        at += n_bytes


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - no more bytes follow
            return value, at
        if shift > _MOST_SHIFT:
            raise ValueError("a number without end")
