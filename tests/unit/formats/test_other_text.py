"""Files of other programs beside a data set, with what no reader of ours expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from backhaul.data.formats import FORMATS, read
from backhaul.data.formats.writing import copy_file
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

TAGGED = {
    "of Python": "hook: !!python/object/apply:os.system ['touch x']\n",
    "custom": "plugins:\n  - !ENV [A, b]\nclass_names: 1\n",
    "no YAML": "a: [1\n",
}


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("kind", TAGGED)
def test_yaml_of_something_else_is_passed_over_with_a_note(
    kind: str, name: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS[name].write(root, odd_set, copy_file)
    (root / "mkdocs.yml").write_text(TAGGED[kind])
    report = read(FolderData(root=root))
    [problem] = report.problems
    assert (problem.path, problem.severity) == (str(root / "mkdocs.yml"), "note")
    assert problem.reason.startswith("not YAML: ")
    assert len(report.images.labelled()) == len(odd_set.labelled())


@pytest.mark.parametrize(
    "text", ["names: !custom [a]\n", "{train: images, 'names': !custom [a]}"]
)
def test_yaml_that_names_classes_and_cannot_be_read_ends_the_reading(
    text: str, odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS["yolo"].write(root, odd_set, copy_file)
    (root / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=r"data\.yaml: not YAML: could not determine"):
        read(FolderData(root=root))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"train = gr\xfcn.txt\n names=obj.names\n", "expected UTF-8 text"),
        (b"names = gr\xfcn.names", "expected UTF-8 text"),
        (b"\xff\xfe\x00names\x00", None),
        (b"", None),
    ],
)
def test_a_data_file_of_darknet_that_is_no_text_is_an_error_and_others_are_nothing(
    data: bytes, reason: str | None, odd_set: ImageSet, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    FORMATS["yolo"].write(root, odd_set, copy_file)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("\n".join(odd_set.class_names))
    (root / "obj.data").write_bytes(data)
    if reason is None:
        assert read(FolderData(root=root)).problems == ()
    else:
        with pytest.raises(InputError, match=rf"obj\.data: {reason}"):
            read(FolderData(root=root))


def test_a_data_file_of_darknet_beside_other_labels_does_not_matter(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    FORMATS["coco"].write(tmp_path / "set", odd_set, copy_file)
    (tmp_path / "set/obj.data").write_bytes(b"names = gr\xfcn.names")
    assert read(FolderData(root=tmp_path / "set")).problems == ()
