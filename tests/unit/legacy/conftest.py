"""Files as users of the earlier tool have them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.darknet_files import tiny

RETRAIN = """\
# Overall
class_list = config/digits.names
model_config = yolov3-tiny
images_per_class = 60      # originals and copies
aug_compose = 0
early_stop = 1
max_epochs = 100
conf_check_num = 5
logs_per_epoch = 4

# Initial training
initial_set = data/initial
train_init = 0.6
valid_init = 0.2

# Sampling
sample_set = data/sample
sampling_batch = 200
bandwidth = 100   # images a batch
train_sample = 0.8
valid_sample = 0.1
retrain_new = 0.75
parallel = 1

log = logs/
output = output/
checkpoints = checkpoints/

strip_len = 5
successions = 3

img_size = 416
batch_size = 16
clip = 1.0
gradient_accumulations = 2
evaluation_interval = 1
checkpoint_interval = 1
multiscale = 1
n_cpu = 4
iou_thres = 0.45
nms_thres = 0.5
conf_thres = 0.1
pos_thres = 0.5
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a file below the working directory."""
    monkeypatch.chdir(tmp_path)

    def put(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    put("config/retrain.cfg", RETRAIN)
    return put


@pytest.fixture
def darknet() -> str:
    """YOLOv3-tiny as a Darknet file."""
    return tiny()
