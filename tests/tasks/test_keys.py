"""What enters the key of a stage, and what does not."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import BaseModel, create_model

from backhaul.code import UserCode
from backhaul.identity import ALWAYS, canonical, content_digest, neutral_value
from backhaul.learn.settings import (
    Augmentation,
    NoStopping,
    PqStopping,
    Training,
    UpStopping,
)
from backhaul.sampling import IqrSampling
from backhaul.settings import Neutral, Part
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from tasks.keys import StageKey, version_of
from tasks.stage import Stage, Step, stage
from tests.golden import require_golden
from tests.stages import ARTIFACT, CHECKPOINT, STEP, all_stages, inputs_of, types_of

ARRANGING = {"arrange", "arrange_inbox", "arrange_stream", "split_images"}
LOOKING = {"infer", "evaluate", "predict_part", "compare_trials"}
TRAINING = {"train_detector", "train_trial"}
BY_THEMSELVES = (Artifact, UserCode)
"""Models that say by themselves what of them enters keys."""
VERSIONED = "a stage would compute anew what is in every store: raise version=, or explain"


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Versions of libraries, 1.0 for those that are not named."""
    given: dict[str, str] = {}
    version_of.cache_clear()
    monkeypatch.setattr(metadata, "version", lambda name: given.get(name, "1.0"))
    yield given
    version_of.cache_clear()


def keys() -> dict[str, str]:
    return {n: each.policy.key_of(inputs_of(each)) for n, each in all_stages().items()}


@pytest.mark.usefixtures("versions")
def test_keys_of_all_stages_are_as_they_were() -> None:
    require_golden("stage_keys", keys(), VERSIONED)


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in BY_THEMSELVES:
            return
        yield kind
        for name, field in kind.model_fields.items():
            if name not in getattr(kind, "resources", ()):
                yield from models_in(field.annotation)
    for part in get_args(kind):
        yield from models_in(part)


def neutral_values() -> dict[str, Any]:
    """Return the neutral values of all fields that enter keys, by class and field."""
    found: dict[str, Any] = {}
    classes: dict[str, type[BaseModel]] = {}
    for each in all_stages().values():
        for model in (m for kind in types_of(each).values() for m in models_in(kind)):
            assert classes.setdefault(model.__name__, model) is model, "two of one name"
            for name, field in model.model_fields.items():
                value = neutral_value(field)
                if name not in getattr(model, "resources", ()):
                    always = {"enters": "always"}
                    found[f"{model.__name__}.{name}"] = always if value is ALWAYS else value
    return found


def test_neutral_values_never_change() -> None:
    advice = (
        "a neutral value has changed, and with it the keys of all stored results: annotate the "
        "field with backhaul.settings.Neutral and the value that it had"
    )
    require_golden("neutral_values", neutral_values(), advice)


def test_where_an_artifact_lies_does_not_matter() -> None:
    here, there = Artifact(uri="a", sha256="1"), Artifact(uri="b", sha256="1")
    assert content_digest({"x": here}) == content_digest({"x": there})
    assert content_digest({"x": here}) != content_digest({"x": Artifact(uri="a", sha256="2")})


def test_with_what_it_is_computed_does_not_matter() -> None:
    assert content_digest(Training(threads=1, device="0")) == content_digest(
        Training(threads=8)
    )
    assert content_digest(Training(lr0=0.1)) != content_digest(Training(lr0=0.2))
    step = Step(root="a", seed=1, method="iqr", batch=2, threads=4)
    assert canonical(step) == {"seed": 1, "batch": 2}


def test_kinds_differ_with_all_their_values_neutral() -> None:
    assert canonical(NoStopping()) == {"kind": "none"}
    assert len({content_digest(each()) for each in (NoStopping, UpStopping, PqStopping)}) == 3


class Settings(Part):
    """Settings of a stage, at first."""

    kind: Literal["settings"] = "settings"
    rate: float = 0.5


def test_a_new_field_leaves_keys_as_they_were() -> None:
    class Later(Settings):
        bound: int = 3
        inner: Settings = Settings()

    assert content_digest(Later(rate=0.25)) == content_digest(Settings(rate=0.25))
    assert content_digest(Later(bound=4)) != content_digest(Settings())
    assert content_digest(Later(inner=Settings(rate=1))) != content_digest(Settings())


def test_a_default_that_changes_changes_no_key_of_a_value() -> None:
    class Later(Part):
        kind: Literal["settings"] = "settings"
        rate: Annotated[float, Neutral(0.5)] = 0.9

    for rate in (0.5, 0.9):
        assert content_digest(Later(rate=rate)) == content_digest(Settings(rate=rate))
    assert content_digest(Later()) != content_digest(Settings())


def test_classes_and_their_places_do_not_matter() -> None:
    moved = create_model("Elsewhere", __base__=Settings)
    assert content_digest(moved(rate=1)) == content_digest(Settings(rate=1))


def test_a_parameter_can_be_renamed_and_one_be_added() -> None:
    @stage("test-first", random=False)
    def first(images: Artifact, *, step: Step) -> Artifact:
        return images

    @stage("test-first", random=False, names={"pool": "images"})
    def renamed(pool: Artifact, *, step: Step) -> Artifact:
        return pool

    @stage("test-first", random=False)
    def more(images: Artifact, lowest: float = 0.5, *, step: Step) -> Artifact:
        return images

    key = key_of(first, images=ARTIFACT)
    assert key == key_of(renamed, pool=ARTIFACT)
    assert key == key_of(more, images=ARTIFACT) == key_of(more, images=ARTIFACT, lowest=0.5)
    assert key != key_of(more, images=ARTIFACT, lowest=0.25)


def key_of(of: Stage[..., Any], **inputs: Any) -> str:
    return of.policy.key_of({**inputs, "step": STEP})


def write_module(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.py").write_text(text)
    return f"{name}:sample"


def test_a_users_code_is_its_source_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "def sample(): ...\ndef other(): ...\n"
    here = UserCode(use=write_module(tmp_path, "keys_here", text))
    there = UserCode(use=write_module(tmp_path, "keys_there", text))
    changed = UserCode(use=write_module(tmp_path, "keys_changed", text + "#"))
    other = UserCode(use="keys_here:other")
    assert content_digest(here) == content_digest(there)
    given = UserCode(use=here.use, params={"n": 1})
    assert len({content_digest(code) for code in (here, changed, other, given)}) == 4


def test_a_file_of_a_model_may_lie_anywhere(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.pt").touch()
    here, there = (Training(model=str(tmp_path / f / "model.pt")) for f in ("here", "there"))
    assert content_digest(here) == content_digest(there) != content_digest(Training())


@pytest.mark.parametrize(
    ("library", "stages"),
    [
        ("ultralytics", {*LOOKING, *TRAINING, "take_checkpoints", "export"}),
        ("torch", {*LOOKING, *TRAINING, "export"}),
        ("albumentations", {"augment"}),
        ("iterative-stratification", ARRANGING),
        (
            "faster-coco-eval",
            {"evaluate", "measure", "measure_small", "compare_trials", "reevaluate"},
        ),
        ("onnxruntime", {"export", "reevaluate", "look_as_node"}),
        ("pillow", {"read_data", "prepare_offers"}),
        ("pyarrow", set()),
        ("pandas", set()),
    ],
)
def test_after_an_upgrade_the_stages_that_use_a_library_are_new(
    library: str, stages: set[str], versions: dict[str, str]
) -> None:
    before = keys()
    version_of.cache_clear()
    versions[library] = "1.0+cu128"
    assert keys() == before
    version_of.cache_clear()
    versions[library] = "1.1"
    after = keys()
    assert {name for name in before if after[name] != before[name]} == stages


def test_a_detector_of_ones_own_knows_no_ultralytics(versions: dict[str, str]) -> None:
    def own_keys() -> list[str]:
        version_of.cache_clear()
        stages = all_stages()
        own = CHECKPOINT.model_copy(update={"detector": "0" * 32})
        inputs = inputs_of(stages["infer"]) | {"checkpoints": (own,)}
        code = UserCode(use="tests.own_code:label")
        training = Training().model_copy(update={"detector": code})
        trained = inputs_of(stages["train_detector"]) | {"training": training}
        return [
            stages["infer"].policy.key_of(inputs),
            stages["train_detector"].policy.key_of(trained),
        ]

    before = own_keys()
    versions |= {"ultralytics": "9", "torch": "9", "opencv-python": "9"}
    assert own_keys() == before


def test_without_copies_no_library_makes_any(versions: dict[str, str]) -> None:
    augment = all_stages()["augment"]
    none = inputs_of(augment) | {"augmentation": Augmentation()}
    before = augment.policy.key_of(none)
    version_of.cache_clear()
    versions["albumentations"] = "9"
    assert augment.policy.key_of(none) == before


def test_a_library_that_is_not_there_has_no_version() -> None:
    assert version_of("backhaul-no-such-library") == ""


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", lambda: 0])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical(value)


def test_keys_are_equal_in_another_process() -> None:
    code = (
        "from backhaul.sampling import IqrSampling;"
        "from backhaul.values.bandwidth import Bandwidth;"
        "from backhaul.identity import content_digest;"
        "print(content_digest({'m': IqrSampling(), 'b': Bandwidth(images=3), 'n': [1, 0.5]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    here = {"n": [1, 0.5], "b": Bandwidth(images=3), "m": IqrSampling()}
    assert done.stdout.strip() == content_digest(here)


def test_prefect_gets_the_key_that_the_stage_knows() -> None:
    policy = StageKey(stage="s", signature=inspect.signature(lambda a, b=1: None))
    assert policy.compute_key(None, {"a": 1, "b": 1}, {}) == policy.key_of({"a": 1})  # type: ignore[arg-type]
