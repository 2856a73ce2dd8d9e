import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from backhaul.code import UserCode, source_digest
from backhaul.errors import InputError
from backhaul.sampling.density import evaluate


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "users_own_module.py"
    path.write_text("def double(x):\n    return 2 * x\n", encoding="utf-8")
    (tmp_path / "users_helper.py").write_text("A = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own_module", raising=False)
    return path


@pytest.mark.usefixtures("module")
def test_loads_the_attribute() -> None:
    assert UserCode.model_validate("users_own_module:double").load()(4) == 8


def test_the_digest_follows_the_source_and_what_it_uses(module: Path) -> None:
    before = UserCode(use="users_own_module:double", uses=("users_helper",))
    module.with_name("users_helper.py").write_text("A = 2\n", encoding="utf-8")
    after = UserCode(use="users_own_module:double", uses=("users_helper",))
    assert before.digest != after.digest
    assert after.digest == source_digest(("users_own_module", "users_helper"))


def test_a_worker_with_another_source_refuses(module: Path) -> None:
    sent = UserCode(use="users_own_module:double").model_dump()
    module.write_text("def double(x):\n    return 3 * x\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="is not the one the campaign started with"):
        UserCode.model_validate(sent)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("users_own_module:triple", "has no 'triple'"),
        ("no_such_module:x", "was not found on the import path"),
        ("no.such.package:x", "was not found on the import path"),
        ("users_own_module", "should match pattern"),
    ],
)
def test_what_is_not_there_is_named(use: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        UserCode.model_validate(use)


@pytest.mark.parametrize("source", ["def f(:", "import no_such_package_at_all", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(
    module: Path, source: str
) -> None:
    module.write_text(source, encoding="utf-8")
    with pytest.raises(ValidationError, match="'users_own_module' cannot be imported: "):
        UserCode.model_validate("users_own_module:double")


EXITS = (
    "raise SystemExit(0)",
    "import sys; sys.exit('no')",
    "raise GeneratorExit",
    "class Mine(BaseException): pass\nraise Mine('a\\nb')",
    "class Silent(Exception):\n    def __str__(self): raise OSError\nraise Silent",
)


@pytest.mark.parametrize("source", EXITS)
def test_a_module_that_ends_the_process_is_named(module: Path, source: str) -> None:
    module.write_text(source, encoding="utf-8")
    with pytest.raises(ValidationError, match="'users_own_module' cannot be imported: "):
        UserCode.model_validate("users_own_module:double")


@pytest.mark.parametrize("source", EXITS[:2])
def test_so_is_one_whose_package_does(module: Path, source: str) -> None:
    module.unlink()
    package = module.with_suffix("")
    package.mkdir()
    (package / "__init__.py").write_text(source, encoding="utf-8")
    (package / "inner.py").write_text("double = 2", encoding="utf-8")
    with pytest.raises(ValidationError, match=r"'users_own_module\.inner' cannot be imported"):
        UserCode.model_validate("users_own_module.inner:double")


@pytest.mark.usefixtures("module")
def test_an_exit_within_a_users_code_ends_no_process() -> None:
    code = UserCode.model_validate("users_own_module:double")
    with (
        pytest.raises(InputError, match="users_own_module:double ended: SystemExit: 3"),
        code.running(),
    ):
        sys.exit(3)
    with pytest.raises(ZeroDivisionError), code.running():
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), code.running():
        raise KeyboardInterrupt  # a person's, for all that is known


def test_a_density_that_exits_is_wrong_input(module: Path) -> None:
    module.write_text("def double(*_):\n    raise SystemExit(1)\n", encoding="utf-8")
    code = UserCode.model_validate("users_own_module:double")
    with pytest.raises(InputError, match="users_own_module:double ended: SystemExit"):
        evaluate(code, np.array([0.5]))
