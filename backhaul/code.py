"""A user's own code, named as `module:attribute` in a config."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from backhaul.errors import InputError


def _source(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise InputError(f"module {module!r} was not found on the import path")
    return Path(spec.origin)


def source_digest(modules: tuple[str, ...]) -> str:
    """Return the SHA-256 of the sources of `modules`, in order.

    Raises:
        InputError: If a module is not found.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(hashlib.sha256(_source(module).read_bytes()).digest())
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
        except Exception as error:  # whatever the user's code raises
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"module {module!r} cannot be imported: {reason}") from error
        if not hasattr(loaded, attribute):
            raise InputError(f"module {module!r} has no {attribute!r}")
        return getattr(loaded, attribute)


class _ByName:
    """Makes a form ask for the name of the code in place of all its fields."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        name = {"type": "string", "title": "module:name"}
        return {"anyOf": [name, handler(core_schema)]}


Code: TypeAlias = Annotated[UserCode, _ByName()]
"""A field of a config that holds code of the user's."""
