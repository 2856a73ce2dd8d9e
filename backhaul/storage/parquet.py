"""Convert values that pass between stages to Parquet bytes, and back.

Equal content gives equal bytes (with the same pyarrow), so the digest of the bytes identifies
it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backhaul.arrays import NameArray
from backhaul.values.columns import Schema
from backhaul.values.detections import (
    DETECTION_SCHEMA,
    DISAGREEMENT_SCHEMA,
    FUSED_SCHEMA,
    VECTORS,
    XYXY,
    Boxes,
    Detections,
    FusedDetections,
)
from backhaul.values.features import Features
from backhaul.values.images import IMAGE_COLUMNS, IMAGE_SCHEMA, ImageSet
from backhaul.values.labels import LABEL_FIELDS, Labels, Polygons
from backhaul.values.selections import SELECTION_SCHEMA, Selection
from backhaul.values.splits import Splits

T = TypeVar("T", ImageSet, Splits, Detections, FusedDetections, Selection, pd.DataFrame)

TABLE = ".parquet"
"""What the names of stored tables end in."""

_NUMBERS = {"int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64()}
_LABEL = pa.struct([(name, _NUMBERS[kind]) for name, kind in LABEL_FIELDS.items()])
_POLYGONS = pa.list_(pa.list_(pa.float64()))  # of each object x1, y1, x2, y2, ..., or null
_TYPES = {**_NUMBERS, "text": pa.string(), "text?": pa.string(), "labels?": pa.list_(_LABEL)}


def _schema(columns: Schema) -> Any:
    return pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])


_IMAGES = _schema(IMAGE_SCHEMA)
_SELECTION = _schema(SELECTION_SCHEMA)


def to_parquet(
    value: ImageSet | Splits | Detections | FusedDetections | Selection | pd.DataFrame,
) -> bytes:
    """Return `value` as one Parquet file.

    Labels become a list of structs, null where nobody labelled the image, and outlines a column
    of their own where there is any; class names lie in the metadata of the schema; a column
    ``split`` tells the three parts of `Splits` apart. A plain table keeps its columns and loses
    its index.

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


def _boxes(kind: type[Detections] | type[FusedDetections], columns: Schema) -> _Codec:
    """Return the codec of boxes: one row a box, then one for each vector of each image."""
    schema = _schema(columns)
    return _Codec(partial(_encode_boxes, schema), partial(_decode_boxes, kind, schema))


def _encode_boxes(schema: Any, boxes: Boxes) -> Any:
    known = boxes.columns() | dict(zip(XYXY, boxes.xyxy.T, strict=True))
    table = pa.table([pa.array(known[field.name]) for field in schema], schema=schema)
    for name in DISAGREEMENT_SCHEMA:
        if known.get(name) is not None:
            table = table.append_column(name, pa.array(known[name]))
    widths = {}
    if boxes.scores is not None:
        widths["scores"] = boxes.scores.shape[1]
        table = table.append_column("scores", _list_array(boxes.scores))
    for name, of_images in boxes.vectors().items():
        widths[name] = of_images.vectors.shape[1]
        columns = {
            "image_id": pa.array(of_images.image_id, type=pa.string()),
            name: _list_array(of_images.vectors),
        }
        parts = [table, pa.table(columns)]
        table = pa.concat_tables(parts, promote_options="default").combine_chunks()
    return table.replace_schema_metadata({"widths": json.dumps(widths)} if widths else None)


def _decode_boxes(kind: Callable[..., Any], schema: Any, table: Any) -> Any:
    if missing := [field.name for field in schema if field.name not in table.column_names]:
        raise ValueError(f"expected columns {missing} too, got {table.column_names}")
    widths = json.loads((table.schema.metadata or {}).get(b"widths", b"{}"))
    boxes = table.filter(table["class_id"].is_valid())
    measured = [name for name in DISAGREEMENT_SCHEMA if name in table.column_names]
    optional: dict[str, Any] = {name: boxes[name].to_numpy() for name in measured}
    if "scores" in widths:
        optional["scores"] = _list_values(boxes["scores"], widths["scores"])
    for name in (name for name in VECTORS if name in widths):
        of_images = table.filter(table[name].is_valid())
        vectors = _list_values(of_images[name], widths[name])
        optional[name] = Features(_texts(of_images["image_id"]), vectors)
    numbers = [field.name for field in schema if field.name not in ("image_id", *XYXY)]
    return kind(
        image_id=_texts(boxes["image_id"]),
        xyxy=np.column_stack([boxes[name].to_numpy() for name in XYXY]),
        **{name: boxes[name].to_numpy() for name in numbers},
        **optional,
    )


def _list_array(values: np.ndarray[Any, Any]) -> Any:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def _list_values(column: Any, width: int) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = pc.list_flatten(column).to_numpy()
    return values.reshape(len(column), width)


def _texts(column: Any) -> NameArray:
    texts: NameArray = column.to_numpy()
    return texts.astype(object)


def _encode_selection(selection: Selection) -> Any:
    columns = [pa.array(getattr(selection, f.name), type=f.type) for f in _SELECTION]
    return pa.table(columns, schema=_SELECTION)


def _decode_selection(table: Any) -> Selection:
    return Selection.from_table(table.to_pandas())


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
    every = images.table["labels"]
    if any(labels is not None and labels.polygons is not None for labels in every):
        polygons = pa.array([_flat_polygons(labels) for labels in every], type=_POLYGONS)
        table = table.append_column("polygons", polygons)
    return table.replace_schema_metadata({"class_names": json.dumps(images.class_names)})


def _decode_images(table: Any) -> ImageSet:
    metadata = table.schema.metadata or {}
    if b"class_names" not in metadata:
        raise ValueError(f"expected a table of images, got columns {table.column_names}")
    names = [name for name in table.column_names if name not in ("labels", "polygons")]
    columns = {name: table[name].to_pandas() for name in names}
    for name in (name for name, kind in IMAGE_SCHEMA.items() if kind == "text?"):
        columns[name] = pd.Series(table[name].to_pylist(), dtype=object)
    polygons = table["polygons"] if "polygons" in table.column_names else None
    columns["labels"] = _decode_labels(table["labels"], polygons)
    frame = pd.DataFrame({name: columns[name] for name in IMAGE_COLUMNS})
    return ImageSet(frame, tuple(json.loads(metadata[b"class_names"])))


def _encode_labels(column: pd.Series[Any]) -> Any:
    known = column.notna().to_numpy()
    every = Labels.concat(column[known])
    counts = np.zeros(len(column), dtype=np.int64)
    counts[known] = [len(labels) for labels in column[known]]
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), type=pa.int32())
    children = [every.class_id.astype(np.int32), *every.xywhn.T]
    values = pa.StructArray.from_arrays(
        [pa.array(np.ascontiguousarray(child)) for child in children], fields=list(_LABEL)
    )
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(~known, type=pa.bool_()))


def _flat_polygons(labels: Labels | None) -> list[list[float] | None] | None:
    if labels is None or labels.polygons is None:
        return None
    return [
        None if outline is None else outline.ravel().tolist() for outline in labels.polygons
    ]


def _decode_labels(column: Any, polygons: Any | None) -> pd.Series[Any]:
    lists = column.combine_chunks()
    offsets = lists.offsets.to_numpy()
    class_id, *sides = (lists.values.field(name).to_numpy() for name in LABEL_FIELDS)
    class_id, xywhn = class_id.astype(np.int64), np.column_stack(sides).astype(np.float64)
    known = lists.is_valid().to_numpy(zero_copy_only=False)
    outlines = [None] * len(known) if polygons is None else polygons.to_pylist()
    return pd.Series(
        [
            Labels(class_id[first:last], xywhn[first:last], _polygons(flat))
            if labelled
            else None
            for first, last, labelled, flat in zip(
                offsets[:-1], offsets[1:], known, outlines, strict=True
            )
        ],
        dtype=object,
    )


def _polygons(flat: list[list[float] | None] | None) -> Polygons | None:
    if flat is None:
        return None
    return tuple(None if outline is None else np.reshape(outline, (-1, 2)) for outline in flat)


def _encode_splits(splits: Splits) -> Any:
    parts = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    if len({part.class_names for part in parts.values()}) != 1:
        raise ValueError("expected splits of the same classes")
    encoded = [_encode_images(part) for part in parts.values()]
    table = pa.concat_tables(encoded, promote_options="default")  # some may lack outlines
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
    Detections: _boxes(Detections, DETECTION_SCHEMA),
    FusedDetections: _boxes(FusedDetections, FUSED_SCHEMA),
    Selection: _Codec(_encode_selection, _decode_selection),
    pd.DataFrame: _Codec(_encode_frame, _decode_frame),
}
