"""A model that is to be published, tried on images as the nodes have them."""

from __future__ import annotations

from pathlib import Path

from backhaul.look.onnx import OnnxModel
from backhaul.look.onnxcontent import require_self_contained
from backhaul.publication.probing import looked_at, probe_images
from backhaul.publication.publishing import NewModel
from backhaul.storage.objects import read_bytes
from backhaul.storage.scratch import scratch_folder
from backhaul.untrusted import read_bytes as read_file
from backhaul.values.results import NodeModel

MOST_MODEL_BYTES = 2 * 10**9


def model_in_file(path: Path, plain: Path, labelled: Path | None, name: str) -> NewModel:
    """Return the model in a file, with what it finds in probe images.

    Args:
        path: The file, as `backhaul export-model` wrote it.
        plain: Folder of images as the nodes have them.
        labelled: Labelled data set; None = there is none.
        name: What people call the model.

    Raises:
        InputError: If it is no such model, or there are no images.
    """
    data = read_file(path, MOST_MODEL_BYTES)
    require_self_contained(data, path)
    model = OnnxModel(path)
    probe = looked_at(probe_images(plain, labelled, model.info.class_names), model)
    return NewModel(name, data, probe)


def model_in_store(
    exported: NodeModel, plain: Path, labelled: Path | None, name: str
) -> NewModel:
    """Return a model that a store has, see `model_in_file`.

    Args:
        exported: The model, whose digest is checked.
        plain: Folder of images as the nodes have them.
        labelled: Labelled data set; None = there is none.
        name: What people call the model.
    """
    with scratch_folder() as folder:
        path = folder / "model.onnx"
        path.write_bytes(read_bytes(exported.file))
        return model_in_file(path, plain, labelled, name)
