"""The keys of a node, which home may replace: sealed, tried first, and replaced whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backhaul.errors import InputError
from backhaul.untrusted import one_line, user_path
from backhaul.uplink.home import Home, HomeRefusedError
from backhaul.uplink.keys import (
    SEALED_AT,
    SEALING,
    key_text,
    keys_in,
    mark_of,
    read_keys,
    read_lines,
)
from backhaul.uplink.privatefile import write_private
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.sealing import SealedError, unseal
from backhaul.uplink.settings import UplinkSettings
from backhaul.uplink.signature import Keys

LOG = logging.getLogger(__name__)


class _Offer(NamedTuple):
    """Keys that home offers, and the text and place of the key file that would have them."""

    keys: Keys
    text: str
    file: Path


class Keyring:
    """The keys that a node uses, and its key file.

    Args:
        node: Name of the node.
        uplink: Where home is, and where the keys are.
        homes: All that use the keys while the node runs.
    """

    def __init__(self, node: str, uplink: UplinkSettings, homes: Sequence[Home]) -> None:
        self._node, self._uplink = node, uplink
        self._homes = [home for home in homes if isinstance(home, S3Home)]
        self._keys = read_keys(uplink) if uplink.kind == "s3" else None
        self.refused = ""
        """Why the keys that home offers are not in use; empty if they are."""

    @property
    def mark(self) -> str:
        """What tells home which keys are in use; empty = there are none."""
        return "" if self._keys is None else mark_of(self._keys.key_id)

    def is_new(self, sealed: str) -> bool:
        """Return whether home offers other keys than those in use, which can be opened."""
        if not sealed:
            self.refused = ""
            return False
        try:
            is_new = self._opened(sealed).keys != self._keys
        except (SealedError, InputError) as error:
            self.refuse(one_line(str(error)))
            return False
        self.refused = ""
        return is_new

    def home_with(self, sealed: str, home: Home) -> Home:
        """Return home with the keys that were sealed, to try them.

        Raises:
            HomeRefusedError: If they can no longer be opened.
        """
        try:
            keys = self._opened(sealed).keys
        except (SealedError, InputError) as error:
            raise HomeRefusedError(one_line(str(error))) from None
        return home.with_keys(keys) if isinstance(home, S3Home) else home

    def refuse(self, reason: str) -> None:
        """Note why the keys that home offers are not used."""
        if reason != self.refused:
            LOG.warning("new keys are not used: %s", reason)
        self.refused = reason

    def take(self, sealed: str) -> bool:
        """Use keys that were sealed from now on; the file is replaced before anything else.

        Returns:
            Whether they are in use; if not, those before are, and `refused` says why.
        """
        try:
            keys, text, file = self._opened(sealed)
            write_private(file, text)
        except (SealedError, InputError, OSError) as error:
            self.refuse(one_line(str(error)))
            return False
        for home in self._homes:
            home.use(keys)
        self._keys, self.refused = keys, ""
        LOG.info("new keys are in use: %s", self.mark)
        return True

    def _opened(self, sealed: str) -> _Offer:
        """Return keys that were sealed.

        Raises:
            SealedError: If they cannot be opened, or those in use were sealed later: who can
                write into the store might have put back what lay there before.
            InputError: If the key file cannot be read.
        """
        path = self._uplink.keys_file if self._uplink.kind == "s3" else None
        if path is None:
            raise SealedError("this node has no key file: uplink.keys_file")
        lines = read_lines(path)
        before = keys_in(lines, path)
        if not lines.get(SEALING):
            raise SealedError(f"{path}: has no {SEALING}: enrol the node by a token")
        try:
            keys, sealed_s = unseal(sealed, self._node, lines[SEALING])
            last_s = int(lines.get(SEALED_AT, 0))
        except ValueError as error:
            raise SealedError(f"they cannot be opened: {error}") from None
        if sealed_s < last_s and keys != before:
            raise SealedError("they were sealed before those in use: home may rotate again")
        return _Offer(keys, key_text(keys, lines[SEALING], sealed_s), user_path(path))
