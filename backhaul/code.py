"""A user's own code, named as `module:attribute` in a config."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from backhaul.errors import InputError
from backhaul.untrusted import MOST_TABLE_BYTES, one_line, read_bytes


def _source(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)  # which imports the packages that it is in
    except (ImportError, ValueError):
        spec = None
    except BaseException as error:  # whatever the user's code raises, SystemExit among it
        raise _told(error, f"module {module!r} cannot be imported") from error
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise InputError(f"module {module!r} was not found on the import path")
    return Path(spec.origin)


def _told(error: BaseException, what: str) -> BaseException:
    """Return what is to be raised in place of what a user's code raised."""
    if isinstance(error, KeyboardInterrupt) or type(error).__module__.startswith("prefect."):
        return error  # not of the code: somebody ends the process
    return InputError(f"{what}: {type(error).__name__}: {one_line(_text(error))}")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # that, too, is the user's code
        return "?"


def source_digest(modules: tuple[str, ...]) -> str:
    """Return the SHA-256 of the sources of `modules`, in order.

    Raises:
        InputError: If a module is not found.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(hashlib.sha256(read_bytes(_source(module), MOST_TABLE_BYTES)).digest())
    return digest.hexdigest()


class UserCode(BaseModel):
    """A function or class of the user's, with the digest of its source.

    The digest is taken when the config is read and travels with it into every cache key, so a
    change in the source runs the stage again; a worker whose copy differs refuses to start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: str = Field(pattern=r"^[\w.]+:\w+$", description="the code, as module:attribute")
    uses: tuple[str, ...] = Field((), description="further modules whose source matters to it")
    params: dict[str, Any] = Field({}, description="keyword arguments of the class or function")
    digest: str = Field("", description="digest of the source; filled in, not to be written")

    @model_validator(mode="before")
    @classmethod
    def _accept_name(cls, value: Any) -> Any:
        return {"use": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        current = source_digest((self.use.split(":")[0], *self.uses))
        if self.digest not in ("", current):
            raise ValueError(
                f"the source of {self.use} here is not the one the campaign started with"
            )
        object.__setattr__(self, "digest", current)
        self.load()
        return self

    def key_form(self) -> Any:
        """Return its contribution to cache keys: the source, not the module's path."""
        form = {"attribute": self.use.split(":")[1], "source": self.digest}
        return {**form, "params": self.params} if self.params else form

    def load(self) -> Any:
        """Return the attribute.

        Raises:
            InputError: If the module cannot be imported or has no such attribute.
        """
        module, attribute = self.use.split(":")
        try:
            loaded = importlib.import_module(module)
            known = hasattr(loaded, attribute)
            found = getattr(loaded, attribute, None)
        except BaseException as error:  # whatever the user's code raises, SystemExit among it
            raise _told(error, f"module {module!r} cannot be imported") from error
        if not known:
            raise InputError(f"module {module!r} has no {attribute!r}")
        return found

    def require_call(self, expected: str, *given: object) -> None:
        """Do nothing if the attribute can be called with as many values, and with the params.

        Args:
            expected: What it should be, in words.
            given: What is passed to it by position.

        Raises:
            ValueError: If it cannot be called so.
        """
        code = self.load()
        if not callable(code):
            raise ValueError(f"{self.use}: expected {expected}")  # noqa: TRY004 - pydantic's
        try:
            signature = inspect.signature(code)
        except (TypeError, ValueError):  # of what is not written in Python nothing is known
            return
        try:
            signature.bind(*given, **self.params)
        except TypeError as error:
            raise ValueError(
                f"{self.use}: expected {expected}: {one_line(str(error))}"
            ) from None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let no exit of the user's code that runs within the block end this process.

        Raises:
            InputError: In place of what is no `Exception`, such as SystemExit.
        """
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            raise _told(error, f"{self.use} ended") from error


class _ByName:
    """Makes a form ask for the name of the code in place of all its fields."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        name = {"type": "string", "title": "module:name"}
        return {"anyOf": [name, handler(core_schema)]}


Code: TypeAlias = Annotated[UserCode, _ByName()]
"""A field of a config that holds code of the user's."""
