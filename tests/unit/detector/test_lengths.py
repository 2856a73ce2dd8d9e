"""How long trainings are: by epochs, or by optimizer steps."""

import pytest

from backhaul.learn.settings import Training


@pytest.mark.parametrize(
    ("settings", "n_images", "initial", "retraining"),
    [
        ({"max_epochs": 9}, 100, 9, 9),
        ({"max_epochs": 9, "retrain_max_epochs": 4}, 100, 9, 4),
        ({"steps": 100, "retrain_steps": 50, "batch_size": 16}, 33, 34, 17),  # of 3 steps
        ({"steps": 1, "retrain_steps": 50, "batch_size": 64}, 1, 1, 50),
        ({"retrain_steps": 50, "batch_size": 16}, 16_000, 50, 1),
        ({"retrain_steps": 5, "batch_size": 4, "gradient_accumulations": 3}, 10, 50, 5),
        ({"retrain_steps": 5}, 0, 50, 5),
    ],
)
def test_whole_epochs_have_at_least_the_steps(
    settings: dict[str, int], n_images: int, initial: int, retraining: int
) -> None:
    training = Training.model_validate(settings)
    assert training.initial_epochs(n_images) == initial
    assert training.retrain_epochs(n_images) == retraining


def test_a_retraining_has_one_length() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Training(retrain_steps=5, retrain_max_epochs=2)


def test_a_training_is_keyed_by_its_epochs_alone() -> None:
    one = Training(max_epochs=3, retrain_steps=50, steps=70).of_one_run
    assert one == Training(max_epochs=8).of_one_run
