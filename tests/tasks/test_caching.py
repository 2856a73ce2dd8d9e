import subprocess
import sys

import pytest

from backhaul.identity import canonical, content_digest
from backhaul.learn.settings import Training
from backhaul.sampling import IqrSampling
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from tasks.stage import Step


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
