"""An annotator at work in Label Studio's editor: a box moved by the mouse, submitted, taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.sync import pull_labels, push_images
from backhaul.campaign.labelled import read_labelled
from backhaul.campaign.runrecords import BEGINNING
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.layout import RunFiles
from backhaul.values.labels import Labels
from deployments.local.label_studio import PERSON, LabelStudioServer
from tests.e2e.annotators import Desk
from tests.e2e.mouse import annotator, drag_and_submit
from tests.waiting import BOX, SIZE, beginning, let_wait

pytestmark = [
    pytest.mark.browser,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.timeout(1_200),
]

BY = (0.06, 0.05)
"""How far the box is moved, in fractions of the image."""


def test_a_box_moved_by_the_mouse_is_taken_with_its_new_place(
    tmp_path: Path, label_studio: LabelStudioServer
) -> None:
    files = RunFiles(str(tmp_path), "by-mouse")
    BEGINNING.write(files.beginning, beginning(files))
    let_wait(files, range(1))
    settings = LabelStudioAnnotation(url=label_studio.address)
    desk = Desk(label_studio)
    with LabelStudio(label_studio.address, label_studio.token) as server:
        assert push_images(server, files, settings) == 1
        [task] = desk.tasks("by-mouse")
        with annotator(label_studio) as page:
            data = f"{label_studio.address}/projects/{desk.project('by-mouse')}/data"
            middle = (BOX[0] + BOX[2]) / 2 / SIZE[0], (BOX[1] + BOX[3]) / 2 / SIZE[1]
            drag_and_submit(page, f"{data}?task={task['id']}", middle, BY)
        taken = pull_labels(server, files, settings)
    assert taken.problems == []
    line = (tmp_path / "labels" / "cam-1" / "0.txt").read_text().split()
    labels = Labels.from_rows([[float(value) for value in line]])
    assert labels.class_id.tolist() == [1]
    moved = [BOX[0] + BY[0] * SIZE[0], BOX[1] + BY[1] * SIZE[1]]
    sides = [BOX[2] - BOX[0], BOX[3] - BOX[1]]
    corners = labels.xyxy(*SIZE)[0]
    assert corners[:2].tolist() == pytest.approx(moved, abs=2)
    assert (corners[2:] - corners[:2]).tolist() == pytest.approx(sides, abs=0.5)
    [record] = read_labelled(files).values()
    [image] = record.images
    assert image.annotator == PERSON
    assert image.seconds is not None
    assert image.seconds > 0
    assert image.edits is not None
    assert (image.edits.moved, image.edits.n_shown, image.edits.added) == (1, 1, 0)
