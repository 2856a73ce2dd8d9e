"""Several data sets as one: classes of their own, and labels that follow them."""

import numpy as np
import pandas as pd

from backhaul.data.merging import merge
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

BOX = [0.5, 0.5, 0.2, 0.2]


def images(*rows: tuple[str, str | None, list[int] | None], classes: str) -> ImageSet:
    """Return a set of images, each with id, group, and the classes of its objects."""
    table = [
        [name, f"{name}.png", 8, 8, 4, group, labels_of(ids), "file", None]
        for name, group, ids in rows
    ]
    return ImageSet(pd.DataFrame(table, columns=list(IMAGE_COLUMNS)), tuple(classes))


def labels_of(class_ids: list[int] | None) -> Labels | None:
    if class_ids is None:
        return None
    return Labels.from_rows([[each, *BOX] for each in class_ids])


def test_each_class_of_each_set_is_one_of_its_own() -> None:
    first = images(("a", "g", [1, 0]), ("b", None, []), ("c", None, None), classes="xy")
    second = images(("d", "g", [0]), ("a", "g", [0]), classes="x")
    found = merge({"one": first, "two": second})
    assert found.class_names == ("one x", "one y", "two x")
    assert found.ids == ("a", "b", "d")  # c has no labels, and a is in the first
    by_image = [labels.class_id.tolist() for labels in found.table["labels"]]
    assert by_image == [[1, 0], [], [2]]
    assert found.table["group"].tolist() == ["one/g", None, "two/g"]
    np.testing.assert_allclose(found.table["labels"].iloc[2].xywhn, [BOX])


def test_a_set_without_labels_has_its_classes_all_the_same() -> None:
    none = images(("a", None, None), classes="x")
    found = merge({"none": none, "one": images(("b", None, [0]), classes="x")})
    assert found.class_names == ("none x", "one x")
    assert found.table["labels"].iloc[0].class_id.tolist() == [1]
    assert len(merge({"none": none})) == 0
