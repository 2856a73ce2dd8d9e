"""New keys for a node, sealed so that who can read the store cannot open them.

Source: the Fernet specification (AES-128-CBC with HMAC-SHA256), as in `cryptography`.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from cryptography.fernet import Fernet, InvalidToken
from pydantic import ConfigDict, StringConstraints, ValidationError

from backhaul.errors import InputError
from backhaul.settings import Part
from backhaul.uplink.signature import Keys

_Word = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,4096}$")]
SealingSecret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}=$")]
"""What seals and opens: 32 random bytes, in base64 for URLs."""


class SealedError(ValueError):
    """Sealed keys that are not for this node, or not whole."""


class KeyRecord(Part):
    """Keys of a bucket, as they are written down.

    Args:
        key_id: Names the key.
        secret: Signs.
        token: Of a session with keys that expire; None = there is none.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    key_id: _Word
    secret: _Word
    token: _Word | None = None

    @property
    def keys(self) -> Keys:
        """The keys."""
        return Keys(self.key_id, self.secret, self.token)

    @classmethod
    def of(cls, keys: Keys) -> KeyRecord:
        """Return the record of keys."""
        return cls(key_id=keys.key_id, secret=keys.secret, token=keys.token)


class _Letter(Part):
    """What is sealed: for whom the keys are, so that nobody can give them to another."""

    model_config = ConfigDict(hide_input_in_errors=True)

    node: str
    keys: KeyRecord


class Opened(NamedTuple):
    """Keys that were sealed.

    Args:
        keys: The keys.
        sealed_s: When home sealed them, by its clock, whole seconds since 1970.
    """

    keys: Keys
    sealed_s: int


def new_secret() -> str:
    """Return a fresh random secret for sealing."""
    return Fernet.generate_key().decode()


def seal(keys: Keys, node: str, secret: str) -> str:
    """Return keys as text that only who has the secret can read or change.

    Args:
        keys: The keys.
        node: Name of the node that they are for.
        secret: Of that node, see `new_secret`.

    Raises:
        InputError: If one of them has spaces, or what is not ASCII; it repeats no key.
    """
    try:
        letter = _Letter(node=node, keys=KeyRecord.of(keys))
    except ValidationError as error:
        field = error.errors(include_input=False)[0]["loc"][0]
        raise InputError(f"{field}: expected printable ASCII without spaces") from None
    return Fernet(secret).encrypt(letter.model_dump_json().encode()).decode()


def unseal(sealed: str, node: str, secret: str) -> Opened:
    """Return keys that home sealed for a node.

    Raises:
        SealedError: If they were changed on the way, sealed with another secret, or for another
            node. It repeats nothing of them.
    """
    box = Fernet(secret)
    try:
        data = sealed.encode()
        letter = _Letter.model_validate_json(box.decrypt(data))
    except (InvalidToken, UnicodeEncodeError):
        raise SealedError("they were changed, or sealed with another secret") from None
    except ValidationError:
        raise SealedError("they are in a form that this agent does not know") from None
    if letter.node != node:
        raise SealedError("they are for another node")
    return Opened(letter.keys.keys, box.extract_timestamp(data))
