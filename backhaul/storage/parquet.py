"""Values that pass between stages as Parquet bytes, and back.

Equal content gives equal bytes (with the same pyarrow), so the digest of the bytes names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backhaul.values.detections import XYXY, Detections, FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits

T = TypeVar("T", ImageSet, Splits, Detections, FusedDetections, Selection, pd.DataFrame)

_CORNERS = [(name, pa.float64()) for name in XYXY]
_LABEL_FIELDS = ("class_id", "cx", "cy", "w", "h")
_LABEL = pa.struct(
    [("class_id", pa.int32()), *((name, pa.float64()) for name in _LABEL_FIELDS[1:])]
)
_NULLABLE_TEXT = ("group", "label_source", "copy_of")
_IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("size_bytes", pa.int64()),
        ("group", pa.string()),
        ("labels", pa.list_(_LABEL)),
        ("label_source", pa.string()),
        ("copy_of", pa.string()),
    ]
)
_DETECTIONS = pa.schema(
    [
        ("image_id", pa.string()),
        ("epoch", pa.int64()),
        ("class_id", pa.int64()),
        ("confidence", pa.float64()),
        *_CORNERS,
    ]
)
_FUSED = pa.schema(
    [
        ("image_id", pa.string()),
        ("class_id", pa.int64()),
        ("confidence", pa.float64()),
        ("confidence_std", pa.float64()),
        ("votes", pa.int64()),
        *_CORNERS,
    ]
)
_SELECTION = pa.schema(
    [
        ("image_id", pa.string()),
        ("size_bytes", pa.int64()),
        ("weight", pa.float64()),
        ("method", pa.string()),
        ("reason", pa.string()),
    ]
)


def to_parquet(
    value: ImageSet | Splits | Detections | FusedDetections | Selection | pd.DataFrame,
) -> bytes:
    """Return `value` as one Parquet file.

    Labels become a list of structs, null where nobody labelled the image; class names lie in
    the metadata of the schema; a column ``split`` tells the three parts of `Splits` apart. A
    plain table keeps its columns and loses its index.

    Raises:
        ValueError: If the parts of `Splits` differ in their classes, or a column does not hold
            what its schema says.
    """
    return parquet_of(to_arrow(value))


def to_arrow(
    value: ImageSet | Splits | Detections | FusedDetections | Selection | pd.DataFrame,
) -> pa.Table:
    """Return `value` as the table that `to_parquet` stores."""
    return _CODECS[type(value)].encode(value)


def parquet_of(table: pa.Table) -> bytes:
    """Return a table as one Parquet file."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(kind: type[T], data: bytes) -> T:
    """Return the value of type `kind` that `to_parquet` wrote.

    Text that can be missing (group, label_source, copy_of) comes back as ``str`` or None.

    Raises:
        ValueError: If `data` is no Parquet file, or holds another kind of value.
    """
    return from_arrow(kind, parquet_in(data))


def parquet_in(data: bytes) -> pa.Table:
    """Return the table in a Parquet file.

    Raises:
        ValueError: If it is none.
    """
    return pq.read_table(BytesIO(data))


def from_arrow(kind: type[T], table: pa.Table) -> T:
    """Return the value of type `kind` that `to_arrow` made a table of."""
    value: T = _CODECS[kind].decode(table)
    return value


class _Codec(NamedTuple):
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _flat(kind: type[Any], schema: Any) -> _Codec:
    def encode(value: Any) -> Any:
        return _columns(value.table, schema)

    def decode(table: Any) -> Any:
        return kind(table.to_pandas())

    return _Codec(encode, decode)


def _columns(table: pd.DataFrame, schema: Any) -> Any:
    arrays = [
        _encode_labels(table["labels"])
        if field.name == "labels"
        else pa.array(table[field.name], type=field.type, from_pandas=True)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _encode_images(images: ImageSet) -> Any:
    table = _columns(images.table, _IMAGES)
    return table.replace_schema_metadata({"class_names": json.dumps(images.class_names)})


def _decode_images(table: Any) -> ImageSet:
    metadata = table.schema.metadata or {}
    if b"class_names" not in metadata:
        raise ValueError(f"expected a table of images, got columns {table.column_names}")
    columns = {name: table[name].to_pandas() for name in table.column_names if name != "labels"}
    for name in _NULLABLE_TEXT:
        columns[name] = pd.Series(table[name].to_pylist(), dtype=object)
    columns["labels"] = _decode_labels(table["labels"])
    frame = pd.DataFrame({name: columns[name] for name in table.column_names})
    return ImageSet(frame, tuple(json.loads(metadata[b"class_names"])))


def _encode_labels(column: pd.Series[Any]) -> Any:
    known = column.notna().to_numpy()
    lists = column[known].tolist()
    boxes = np.concatenate([np.empty((0, 5)), *lists])
    counts = np.zeros(len(column), dtype=np.int64)
    counts[known] = [len(labels) for labels in lists]
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), type=pa.int32())
    children = [boxes[:, 0].astype(np.int32), *boxes[:, 1:].T]
    values = pa.StructArray.from_arrays(
        [pa.array(np.ascontiguousarray(child)) for child in children], fields=list(_LABEL)
    )
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(~known, type=pa.bool_()))


def _decode_labels(column: Any) -> pd.Series[Any]:
    lists = column.combine_chunks()
    offsets = lists.offsets.to_numpy()
    boxes = np.column_stack(
        [lists.values.field(name).to_numpy().astype(np.float64) for name in _LABEL_FIELDS]
    )
    known = lists.is_valid().to_numpy(zero_copy_only=False)
    return pd.Series(
        [
            boxes[first:last] if labelled else None
            for first, last, labelled in zip(offsets[:-1], offsets[1:], known, strict=True)
        ],
        dtype=object,
    )


def _encode_splits(splits: Splits) -> Any:
    parts = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    if len({part.class_names for part in parts.values()}) != 1:
        raise ValueError("expected splits of the same classes")
    table = pa.concat_tables([_encode_images(part) for part in parts.values()])
    names = [name for name, part in parts.items() for _ in range(len(part))]
    return table.combine_chunks().append_column("split", pa.array(names, type=pa.string()))


def _decode_splits(table: Any) -> Splits:
    if "split" not in table.column_names:
        raise ValueError(f"expected a table of splits, got columns {table.column_names}")
    names = np.array(table["split"].to_pylist(), dtype=object)
    images = _decode_images(table.drop_columns(["split"]))
    return Splits(*(images.where(names == name) for name in ("train", "valid", "test")))


def _encode_frame(table: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(table, preserve_index=False)


def _decode_frame(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


_CODECS: dict[type[Any], _Codec] = {
    ImageSet: _Codec(_encode_images, _decode_images),
    Splits: _Codec(_encode_splits, _decode_splits),
    Detections: _flat(Detections, _DETECTIONS),
    FusedDetections: _flat(FusedDetections, _FUSED),
    Selection: _flat(Selection, _SELECTION),
    pd.DataFrame: _Codec(_encode_frame, _decode_frame),
}
