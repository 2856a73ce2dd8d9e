"""What is proposed for a data set: each rule, and that any counts give a valid campaign."""

import math

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.proposal.classes import class_warnings, flip_for
from backhaul.campaign.proposal.copies import ENOUGH, images_per_class, training_images
from backhaul.campaign.proposal.effort import AIM, ENOUGH_STEPS, LEAST_STEPS, MOST_STEPS
from backhaul.campaign.proposal.facts import ClassFacts, Facts
from backhaul.campaign.proposal.imagesize import OBJECT_PX, image_size, smallest_class
from backhaul.campaign.proposal.proposal import Proposal, Wish, propose
from backhaul.campaign.proposal.sets import LEAST_IMAGES, can_be_divided, sets_for
from backhaul.campaign.proposal.text import WIDTH, campaign_file
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.learn.training.speed import Speed, StepTimes, speed_of

ROOT = "/data/cars"
QUICK = 0.02  # seconds an image


def facts(
    n: int = 300, side: float = 0.1, n_units: int | None = None, largest: int = 1
) -> Facts:
    cars = ClassFacts("car", n_images=n, n_objects=3 * n, side=side)
    bikes = ClassFacts("bike", n_images=max(n // 2, 1), n_objects=n, side=2 * side)
    return Facts(n, 0, n if n_units is None else n_units, largest, (cars, bikes))


def wish(minutes: float = 15, cores: int = 2, root: str = ROOT) -> Wish:
    data = FolderData(root=root, format="yolo")
    return Wish("cars", data, seed=3, minutes=minutes, cores=cores, model="yolo11n")


def proposed(
    data: Facts, seconds: float = QUICK, minutes: float = 15, cores: int = 2
) -> Proposal:
    """The proposal where an image of 160 px takes so long."""

    def measure(side_px: int) -> Speed:
        return Speed(seconds * (side_px / 160) ** 2)

    return propose(data, wish(minutes, cores), measure)


CLASS = st.tuples(
    st.text(min_size=1, max_size=8),
    st.floats(0, 1),
    st.integers(1, 100),
    st.floats(0.002, 1),
)


@settings(max_examples=40)
@given(
    n=st.integers(LEAST_IMAGES, 200_000),
    classes=st.lists(CLASS, min_size=1, max_size=30),
    groups=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seconds=st.floats(1e-5, 20),
    minutes=st.floats(1, 10_000),
    cores=st.integers(1, 128),
)
def test_any_counts_give_a_valid_campaign(
    n: int,
    classes: list[tuple[str, float, int, float]],
    groups: tuple[float, float],
    seconds: float,
    minutes: float,
    cores: int,
) -> None:
    found = []
    for name, share, each, side in classes:
        n_images = math.floor(share * n)
        found.append(ClassFacts(name, n_images, n_images * each, side if n_images else None))
    assume(any(each.n_objects for each in found))
    n_units = max(round(groups[0] * n), 1)
    largest = max(round(groups[1] * (n - n_units + 1)), math.ceil(n / n_units))
    data = Facts(n, 0, n_units, largest, tuple(found))
    proposal = proposed(data, seconds, minutes, cores)
    config = proposal.config
    text = campaign_file(proposal.choices, ["A campaign."])
    assert CampaignConfig.model_validate(yaml.safe_load(text)) == config
    batches, sent = config.batches, config.bandwidth.images
    assert config.initial.images is not None
    assert batches.count is not None
    assert sent is not None
    arriving = (batches.count + batches.holdout_batches) * batches.sampling_batch
    assert config.initial.images + arriving <= n
    assert 1 <= sent < batches.sampling_batch
    assert proposal.seconds <= AIM * minutes * 60 or proposal.warnings


@given(st.floats(0.0001, 1))
def test_the_input_is_the_smallest_that_shows_a_typical_small_object(side: float) -> None:
    px = image_size(side)
    assert px % 32 == 0
    assert 96 <= px <= 640
    assert px * side >= OBJECT_PX or px == 640
    assert (px - 32) * side < OBJECT_PX or px == 96


def test_a_class_with_hardly_any_object_does_not_choose_the_input() -> None:
    speck = ClassFacts("speck", 1, 1, side=0.001)
    car = ClassFacts("car", 300, 900, side=0.1)
    data = Facts(300, 0, 300, 1, (speck, car))
    assert smallest_class(data) == car
    assert smallest_class(Facts(300, 0, 300, 1, (speck,))) == speck


@given(st.integers(LEAST_IMAGES, 100_000))
def test_there_are_two_batches_wherever_there_are_images_for_them(n: int) -> None:
    sets = sets_for(facts(n))
    assert sets.batches == 2
    assert sets.initial + 3 * sets.batch + sets.left == n
    assert sets.initial <= max(0.5 * n, 15)


def test_too_few_images_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(
        InputError, match=f"29 labelled images: expected at least {LEAST_IMAGES}"
    ):
        sets_for(facts(29))


def test_with_groups_the_initial_set_has_several_and_room_is_left_for_their_sizes() -> None:
    grouped = facts(218, n_units=22, largest=11)
    sets, alone = sets_for(grouped), sets_for(facts(218))
    assert sets.initial >= 5 * 218 / 22 > alone.initial
    assert sets.left >= 2 * 10
    proposal = proposed(grouped)
    assert proposal.config.data.model_dump()["groups"] == "auto"
    assert "218 images in 22 groups" in campaign_file(proposal.choices, [])


def test_groups_that_are_too_few_are_given_up_with_a_warning() -> None:
    grouped = facts(100, n_units=3, largest=40)
    assert not can_be_divided(grouped)
    proposal = proposed(grouped)
    assert proposal.config.data.model_dump()["groups"] is None
    assert any("form 3 groups, too few to be split" in told for told in proposal.warnings)


def test_images_of_one_class_each_get_copies_class_by_class() -> None:
    single = tuple(ClassFacts(str(k), 50, 50, 0.1) for k in range(10))
    data = Facts(500, 0, 500, 1, single)
    target = images_per_class(data, 50)
    assert target == 16
    assert training_images(data, 50, 16) == ENOUGH
    assert images_per_class(data, ENOUGH) is None


def test_time_buys_steps_within_bounds() -> None:
    data = facts()
    steps = []
    for minutes in (2, 15, 30, 10_000):
        proposal = proposed(data, 0.05, minutes)
        reasons = {choice.key: choice.reason for choice in proposal.choices}
        steps.append(int(reasons["training.max_epochs"].split()[1]))
        if 2 < minutes < 10_000:
            assert 0.4 * minutes * 60 < proposal.seconds <= AIM * minutes * 60
    assert steps == sorted(steps)
    assert LEAST_STEPS <= steps[0] < ENOUGH_STEPS < steps[1]
    assert MOST_STEPS <= steps[-1] < 1.1 * MOST_STEPS


def test_a_slow_machine_gets_a_smaller_input_then_a_warning() -> None:
    quick, slow, slowest = (proposed(facts(side=0.03), s) for s in (0.005, 0.1, 5.0))
    assert quick.config.training.img_size == 288
    assert not quick.warnings
    assert 160 < slow.config.training.img_size < 288
    assert any("below the 8 px" in told for told in slow.warnings)
    assert slowest.config.training.img_size == 192  # objects keep five pixels
    assert any("--model FILE.pt" in told for told in slowest.warnings)
    assert any("more than the 15 that were asked for" in told for told in slowest.warnings)


def test_methods_run_side_by_side_as_far_as_there_are_processors() -> None:
    for cores, parallel, threads in ((1, 1, 1), (2, 2, 1), (4, 4, 1), (16, 4, 4)):
        config = proposed(facts(), cores=cores).config
        assert (config.parallel, config.training.threads) == (parallel, threads)
        assert [each.label for each in config.arms][2:] == ["true-random", "no-new-data"]


def test_methods_side_by_side_on_one_gpu_save_no_time() -> None:
    def seconds(*, on_gpu: bool, cores: int) -> float:
        speed = Speed(QUICK, on_gpu=on_gpu)
        return propose(facts(), wish(1, cores), lambda side_px: speed).seconds

    assert seconds(on_gpu=True, cores=4) == seconds(on_gpu=True, cores=1)
    assert seconds(on_gpu=False, cores=4) < seconds(on_gpu=False, cores=1)


def test_rare_classes_are_named() -> None:
    classes = (
        ClassFacts("never", 0, 0, None),
        ClassFacts("few", 5, 5, 0.1),
        ClassFacts("rare", 6, 40, 0.1),
        ClassFacts("car", 1000, 1000, 0.1),
    )
    data = Facts(1000, 0, 1000, 1, classes)
    told = "\n".join(class_warnings(data, sets_for(data)))
    assert "no object of never" in told
    assert "fewer than 20 objects of few (5)" in told
    assert "images with rare are so rare" in told
    assert "car" not in told


@pytest.mark.parametrize(
    ("names", "flip"),
    [
        (("car", "arrowhead"), "horizontal"),
        (("7", "8"), "none"),
        (("turn_left", "stop"), "none"),
        (("Right", "stop"), "none"),
        (("bright", "leftover"), "horizontal"),
    ],
)
def test_what_has_a_left_and_a_right_is_not_mirrored(names: tuple[str, ...], flip: str) -> None:
    assert flip_for(names)[0] == flip


def test_objects_that_nobody_labelled_are_an_error() -> None:
    data = Facts(300, 0, 300, 1, (ClassFacts("car", 0, 0, None),))
    with pytest.raises(InputError, match="no image has a labelled object"):
        proposed(data)


def test_each_choice_stands_below_its_reason_in_lines_of_a_page() -> None:
    proposal = proposed(facts())
    lines = campaign_file(proposal.choices, ["A campaign for cars."]).splitlines()
    assert lines[0] == "# A campaign for cars."
    assert max(map(len, lines)) <= WIDTH
    place = 0
    for choice in proposal.choices:
        field = f"{choice.key.rpartition('.')[2]}:"
        place = next(i for i in range(place, len(lines)) if lines[i].strip().startswith(field))
        assert not choice.reason or lines[place - 1].strip().startswith("# ")


def test_names_and_places_come_through_yaml_as_they_are() -> None:
    root = "/daten/Straße: 'A' # 1"
    proposal = propose(facts(), wish(root=root), lambda px: Speed(QUICK))
    read = yaml.safe_load(campaign_file(proposal.choices, [f"For {root}."]))
    assert read["data"]["root"] == root


def test_processor_time_counts_where_others_slow_the_trial_down() -> None:
    times = StepTimes(images=10, wall_s=6.0, processor_s=4.0, on_gpu=False)
    assert speed_of(times, threads=2) == Speed(0.2, slowdown=3.0)
    idle = StepTimes(images=10, wall_s=2.0, processor_s=5.0, on_gpu=False)
    assert speed_of(idle, threads=2) == Speed(0.2, slowdown=1.0)
    gpu = StepTimes(images=10, wall_s=1.0, processor_s=4.0, on_gpu=True)
    assert speed_of(gpu, threads=1) == Speed(0.1, on_gpu=True)
