"""What home publishes, asked for over the uplink and trusted by its signatures alone (TUF)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from backhaul.node.updates.errors import RefusedError, UnreachedError
from backhaul.untrusted import TooLargeError, one_line
from backhaul.uplink.home import MOST_BYTES, Home, HomeRefusedError, LinkDownError

logging.getLogger("tuf").setLevel(logging.WARNING)

METADATA = "published/metadata/"
TARGETS = "published/targets/"
SIGNED_AT = "x-backhaul-signed"
"""Field of a timestamp: when it was signed, in TUF's form of a time."""
TIME = "%Y-%m-%dT%H:%M:%SZ"
_MISSING = 404
_ROLES = (Root.type, Timestamp.type, Snapshot.type, Targets.type)


class HomeFetcher(FetcherInterface):
    """Fetches metadata from home; what has not changed does not come again.

    Args:
        home: Home.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, tuple[str, bytes]] = {}

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return an object of home's, see `FetcherInterface`."""
        etag, data = self._known.get(url, (None, b""))
        try:
            got = self._home.get(url, etag, max_length)
        except TooLargeError as error:
            raise DownloadLengthMismatchError(str(error)) from None
        except (LinkDownError, HomeRefusedError) as error:
            raise DownloadError(str(error)) from error
        if got is None:
            raise DownloadHTTPError(f"{url}: is not there", _MISSING)
        if got.data is not None:
            data = got.data
            self._known = {url: (got.etag, data)} if "timestamp" in url else self._known
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return iter([self.download_bytes(url, MOST_BYTES)])


class Published:
    """What home publishes.

    Args:
        home: Home.
        root: Metadata of the role root that the node came with.
        folder: Where metadata are kept that were trusted, so that none older is ever again.
        now: Returns the time by the clock of the node.
    """

    def __init__(
        self,
        home: Home,
        root: bytes,
        folder: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._home, self._root, self._folder, self._now = home, root, folder, now
        self._fetcher = HomeFetcher(home)
        self._updater: Updater | None = None
        self._spoiled: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def require_root(self) -> None:
        """Do nothing if the root can be trusted from.

        Raises:
            RefusedError: If it is no metadata of a role root.
        """
        with _explaining():
            Metadata[Root].from_bytes(self._root)

    def refresh(self) -> bool:
        """Ask for the newest metadata; return whether anything is published.

        Raises:
            UnreachedError: If home was not reached.
            RefusedError: If what is there is not home's, older than what was there before, not
                of one time, too large, or expired.
        """
        with _explaining():
            updater = Updater(
                str(self._folder), METADATA, fetcher=self._fetcher, bootstrap=self._root
            )
            try:
                updater.refresh()
            except DownloadHTTPError:
                if (self._folder / "timestamp.json").exists():  # it was there before
                    raise
                return False
        self._require_fresh()
        self._updater = updater
        return True

    def target(self, place: str) -> TargetFile | None:
        """Return length and digest of a file that is published; None = there is none."""
        if self._updater is None:
            raise RuntimeError("nothing is trusted before refresh()")
        with _explaining():
            return self._updater.get_targetinfo(place)

    def fetch(self, target: TargetFile, path: Path) -> None:
        """Let a published file be here, whole.

        What came before the link broke does not come again, nor does a file of home's that is
        not what was signed, until it changes there.

        Raises:
            UnreachedError: If home was not reached.
            RefusedError: If it is not the file that was signed.
        """
        if _is_whole(target, path):
            return
        folder, _, name = target.path.rpartition("/")
        digest = next(iter(target.hashes.values()))
        place = f"{TARGETS}{folder}/{digest}.{name}"
        try:
            came = self._home.download(place, path, target.length, self._spoiled.get(place))
        except TooLargeError as error:
            raise RefusedError(str(error)) from None
        except (LinkDownError, HomeRefusedError) as error:
            raise UnreachedError(str(error)) from error
        if came is None:
            raise UnreachedError(f"{place}: is not there")
        if not (came.is_new and _is_whole(target, path)):
            self._spoiled[place] = came.etag
            path.unlink(missing_ok=True)
            raise RefusedError(f"{target.path}: is not what was signed")

    def _signed_at(self) -> datetime | None:
        """Return when the timestamp was signed that was trusted last."""
        try:
            data = (self._folder / "timestamp.json").read_bytes()
            timestamp = Metadata[Timestamp].from_bytes(data)
            text = timestamp.signed.unrecognized_fields[SIGNED_AT]
            return datetime.strptime(text, TIME).replace(tzinfo=UTC)
        except (OSError, RepositoryError, KeyError, TypeError, ValueError):
            return None

    def _require_fresh(self) -> None:
        """Check expiry once more by what the timestamp says of the time: a clock may be behind.

        Only the timestamp of now counts. One that a thief had signed in the future would else
        stop all updates, also once the keys were renewed.
        """
        now = self._now()
        latest = max(now, self._signed_at() or now)
        for role in _ROLES:
            signed = Metadata.from_bytes((self._folder / f"{role}.json").read_bytes()).signed
            if signed.is_expired(latest):
                raise RefusedError(f"{role}.json expired on {signed.expires:%Y-%m-%d}")


def _is_whole(target: TargetFile, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            target.verify_length_and_hashes(file)
    except (FileNotFoundError, LengthOrHashMismatchError):
        return False
    return True


@contextmanager
def _explaining() -> Iterator[None]:
    """Give what TUF says as errors of ours."""
    try:
        yield
    except DownloadLengthMismatchError as error:
        raise RefusedError(f"metadata are too large: {one_line(str(error))}") from None
    except DownloadError as error:
        raise UnreachedError(one_line(str(error))) from error
    except RepositoryError as error:
        said = one_line(str(error)) or type(error).__name__
        raise RefusedError(f"metadata are not taken: {said}") from None
