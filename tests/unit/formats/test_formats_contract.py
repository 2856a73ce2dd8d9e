"""What every format promises.

Defects 16 (labels of a labelled image raise) and 17 (an unreadable image is deleted, boxes go
to the wrong image) have tests here; defect 13 (label paths by text replacement) in
test_formats_yolo.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backhaul.data.formats import FORMATS, detect, read
from backhaul.data.formats.files import scan
from backhaul.data.formats.writing import link_file
from backhaul.data.images import ImageReader, is_image
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

every_format = pytest.mark.parametrize("name", FORMATS)


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def by_id(images: ImageSet) -> dict[str, Any]:
    return dict(zip(images.ids, images.table["labels"], strict=True))


def as_written(name: str, images: ImageSet) -> ImageSet:
    return ImageSet(images.table, FORMATS[name].written_names(images.class_names))


def assert_same_labels(left: ImageSet, right: ImageSet) -> None:
    assert left.class_names == right.class_names
    labels, others = by_id(left), by_id(right)
    assert labels.keys() == others.keys()
    for image_id, expected in labels.items():
        if expected is None:
            assert others[image_id] is None
        else:
            np.testing.assert_allclose(others[image_id].rows(), expected.rows(), atol=1e-7)


@every_format
def test_what_is_written_is_read(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    report = read(FolderData(root=tmp_path / "written"))
    assert report.problems == ()
    report.require_clean()
    assert_same_labels(report.images, as_written(name, odd_set))
    table = report.images.table.set_index("image_id").loc[list(odd_set.ids)]
    for column in ("width", "height", "size_bytes"):
        assert table[column].tolist() == odd_set.table[column].tolist()
    sources = [None if labels is None else "dataset" for labels in odd_set.table["labels"]]
    assert table["label_source"].tolist() == sources


@every_format
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.floats(0, 0.8),
            st.floats(0, 0.8),
            st.floats(0.01, 1),
            st.floats(0.01, 1),
        ),
        unique=True,
        max_size=6,
    )
)
def test_any_boxes_survive(name: str, odd_set: ImageSet, rows: list[tuple[float, ...]]) -> None:
    corners = np.array(rows, dtype=np.float64).reshape(-1, 5)
    sizes = np.minimum(corners[:, 3:], 1 - corners[:, 1:3])
    boxes = np.column_stack([corners[:, 1:3] + sizes / 2, sizes])
    labels = Labels(corners[:, 0].astype(np.int64), boxes)
    table = odd_set.table.head(1).assign(labels=pd.Series([labels], dtype=object))
    images = ImageSet(table, odd_set.class_names)
    with tempfile.TemporaryDirectory() as folder:
        FORMATS[name].write(Path(folder), images)
        again = read(FolderData(root=Path(folder))).images
    assert_same_labels(again, as_written(name, images))


@every_format
def test_the_format_is_recognised(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    assert detect(scan(tmp_path / "written")) == name


@every_format
def test_reading_changes_nothing(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    before = tree(tmp_path)
    read(FolderData(root=tmp_path / "written"))
    assert tree(tmp_path) == before


@every_format
def test_a_folder_with_something_in_it_is_not_written_to(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match="expected a new or empty folder"):
        FORMATS[name].write(tmp_path / "mine", odd_set)
    assert tree(tmp_path / "mine").keys() == {"notes.txt"}


@every_format
def test_rows_are_sorted_by_absolute_uri(
    name: str, odd_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    monkeypatch.chdir(tmp_path)
    uris = read(FolderData(root=Path("written"))).images.table["uri"].tolist()
    assert uris == sorted(uris)
    assert all(uri.startswith(f"{tmp_path.as_posix()}/written/") for uri in uris)


@every_format
def test_progress_ends_with_all_images(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    calls = []
    reader = ImageReader(on_progress=lambda *call: calls.append(call))
    read(FolderData(root=tmp_path / "written"), reader)
    assert calls[-1] == (len(odd_set), len(odd_set))


@every_format
def test_defect_17_unreadable_image_is_kept_and_takes_no_labels_along(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    labelled = odd_set.labelled().ids
    broken = next((tmp_path / "written").rglob("with space.JPEG"))
    broken.write_bytes(broken.read_bytes()[:-40])
    before = tree(tmp_path)
    report = read(FolderData(root=tmp_path / "written"))
    assert tree(tmp_path) == before
    [problem] = report.problems
    assert (problem.path, problem.severity) == (broken.as_posix(), "warning")
    assert "unreadable image, left out: image file is truncated" in problem.reason
    report.require_clean()
    assert set(report.images.labelled().ids) == set(labelled) - {odd_set.ids[1]}
    others = odd_set.take([i for i in odd_set.ids if i != odd_set.ids[1]])
    assert_same_labels(report.images, as_written(name, others))


@every_format
def test_defect_17_boxes_stay_with_their_image_if_another_has_no_labels(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    table = odd_set.table.copy()
    table.at[0, "labels"] = None
    images = ImageSet(table, odd_set.class_names)
    FORMATS[name].write(tmp_path / "written", images)
    again = read(FolderData(root=tmp_path / "written")).images
    assert_same_labels(again, as_written(name, images))


@every_format
def test_defect_16_labels_of_labelled_images_are_no_text(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    labels = read(FolderData(root=tmp_path / "written")).images.labelled().table["labels"]
    assert len(labels) == 7
    assert all(isinstance(each, Labels) for each in labels)


@every_format
def test_groups_come_from_the_file_name(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    data = FolderData(root=tmp_path / "written", group_pattern=r"^(plain|with)")
    table = read(data).images.table
    for uri, group in zip(table["uri"], table["group"], strict=True):
        first = Path(uri).name.replace("-", " ").replace(".", " ").split()[0]
        assert group == (first if first in ("plain", "with") else None)


@every_format
def test_names_of_classes_are_kept(name: str) -> None:
    assert FORMATS[name].written_names(("weiß", "b-1", "c,d")) == ("weiß", "b-1", "c,d")
    space = "_" if name == "kitti" else " "
    assert FORMATS[name].written_names(("red cell",)) == (f"red{space}cell",)


@pytest.mark.parametrize("name", ["voc", "kitti", "csv"])
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("a", "b c", " b\tc"), r"'b c', ' b\\tc' would all be written as 'b.c'"),
        (("a", " "), "class 1 has no name"),
    ],
)
def test_names_that_a_format_cannot_write_are_refused_before_anything_is_written(
    name: str, names: tuple[str, ...], reason: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    images = ImageSet(odd_set.table, names)
    with pytest.raises(InputError, match=reason):
        FORMATS[name].write(tmp_path / "written", images)
    assert not (tmp_path / "written").exists()


@every_format
def test_images_may_be_linked(name: str, odd_set: ImageSet, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    FORMATS[name].write(
        tmp_path / "written", odd_set, link_file, lambda *call: calls.append(call)
    )
    assert calls[-1] == (len(odd_set), len(odd_set))
    written = read(FolderData(root=tmp_path / "written")).images.take(odd_set.ids)
    for link, uri in zip(written.table["uri"], odd_set.table["uri"], strict=True):
        assert Path(link).samefile(uri)


@every_format
def test_a_folder_without_images_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [a]")
    (tmp_path / "instances.json").write_text(
        '{"images": [], "annotations": [], "categories": []}'
    )
    with pytest.raises(InputError, match="no image"):
        FORMATS[name].read(scan(tmp_path))


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/Gr\xf6\xdfe.jpg")).touch()
    with pytest.raises(InputError, match=r"Gr\\udcf6\\udcdfe\.jpg.*rename it"):
        read(FolderData(root=tmp_path))


@every_format
def test_a_set_in_which_no_image_can_be_read_is_refused(
    name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS[name].write(tmp_path / "written", odd_set)
    for path in (tmp_path / "written").rglob("*"):
        if is_image(path.name):
            path.write_bytes(b"")
    report = read(FolderData(root=tmp_path / "written"))
    assert len(report.images) == 0
    with pytest.raises(InputError, match=r"the file is empty \(and no image can be read\)"):
        report.require_clean()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the folder of a data set"):
        read(FolderData(root=tmp_path / "gone"))


def test_unknown_formats_are_refused_with_what_was_looked_for(odd_set: ImageSet) -> None:
    folder = Path(odd_set.table["uri"].iloc[0]).parents[1]
    with pytest.raises(
        InputError, match=r"no labels found among 8 images; looked for YOLO.*COCO.*KITTI.*CSV"
    ):
        read(FolderData(root=folder))


def test_several_formats_in_one_folder_are_refused(odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS["yolo"].write(tmp_path / "written", odd_set)
    FORMATS["voc"].write(tmp_path / "written" / "more", odd_set)
    with pytest.raises(InputError, match=r"several formats \(yolo, voc\); set data.format"):
        read(FolderData(root=tmp_path / "written"))
    assert len(read(FolderData(root=tmp_path / "written" / "more", format="voc")).images) == 8
