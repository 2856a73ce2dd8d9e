"""The keys that sign what is published: those of the root offline, the others online."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from backhaul.errors import InputError
from backhaul.untrusted import read_bytes

OFFLINE, ONLINE, ROOTS = "offline", "online", "roots"
ROLES = (Targets.type, Snapshot.type, Timestamp.type)
"""Those whose keys are online."""
ROOT_DAYS = 5 * 365
SOON_DAYS = 180
"""A root that expires sooner is told of."""
_MOST_KEY_BYTES = 10_000


@dataclass(frozen=True)
class Keys:
    """What a publisher needs: the online keys, and who may sign.

    Args:
        signers: By role.
        roots: Metadata of the role root, all versions from the first on.
    """

    signers: dict[str, CryptoSigner]
    roots: tuple[bytes, ...]

    @property
    def root(self) -> Root:
        """The newest root."""
        return Metadata[Root].from_bytes(self.roots[-1]).signed

    def expires_soon(self, now: datetime) -> bool:
        """Return whether the root has to be renewed."""
        return self.root.expires - now < timedelta(days=SOON_DAYS)


def make_keys(folder: Path, n_roots: int = 1) -> None:
    """Make all keys, and the first root, in a new folder.

    Args:
        folder: The folder.
        n_roots: How many root keys there are. More than half of them have to sign a root.

    Raises:
        InputError: If there are keys already.
    """
    if (folder / OFFLINE).exists() or (folder / ONLINE).exists():
        raise InputError(f"{folder}: has keys already; --renew makes new online keys")
    roots = [CryptoSigner.generate_ed25519() for _ in range(n_roots)]
    root = Root(consistent_snapshot=True)
    for number, signer in enumerate(roots, start=1):
        _write_key(folder / OFFLINE / f"root-{number}.pem", signer)
        root.add_key(signer.public_key, Root.type)
    root.roles[Root.type].threshold = n_roots // 2 + 1
    _renew_online(folder, root)
    _write_root(folder, root, roots)


def renew_keys(folder: Path) -> int:
    """Make new online keys, and a root that trusts them alone; return how many have to sign it.

    Raises:
        InputError: If root keys are missing.
    """
    newest = Metadata[Root].from_bytes(read_roots(folder)[-1]).signed
    paths = sorted((folder / OFFLINE).glob("root-*.pem"))
    signers = [CryptoSigner(load_pem_private_key(_read_key(path), None)) for path in paths]
    role = newest.roles[Root.type]
    signers = [each for each in signers if each.public_key.keyid in role.keyids]
    if len(signers) < role.threshold:
        raise InputError(
            f"{folder / OFFLINE}: expected {role.threshold} root keys, found {len(signers)}"
        )
    for each in ROLES:
        for keyid in list(newest.roles[each].keyids):
            newest.revoke_key(keyid, each)
    newest.version += 1
    _renew_online(folder, newest)
    _write_root(folder, newest, signers)
    return role.threshold


def read_keys(folder: Path) -> Keys:
    """Return the keys in a folder; no root key is read.

    Raises:
        InputError: If one is missing, others may read it, or it is not the one of the root.
    """
    roots = read_roots(folder)
    root = Metadata[Root].from_bytes(roots[-1]).signed
    signers = {}
    for role in ROLES:
        path = folder / ONLINE / f"{role}.pem"
        signers[role] = CryptoSigner(load_pem_private_key(_read_key(path), None))
        if signers[role].public_key.keyid not in root.roles[role].keyids:
            raise InputError(f"{path}: is not the key that {folder / 'root.json'} names")
    return Keys(signers, roots)


def read_roots(folder: Path) -> tuple[bytes, ...]:
    """Return all versions of the root, from the first on.

    Raises:
        InputError: If there is none.
    """
    roots = list[bytes]()
    while (path := folder / ROOTS / f"{len(roots) + 1}.root.json").exists():
        roots.append(read_bytes(path))
    if not roots:
        raise InputError(f"{folder}: has no keys: make them with `backhaul models keys`")
    return tuple(roots)


def _renew_online(folder: Path, root: Root) -> None:
    for role in ROLES:
        signer = CryptoSigner.generate_ed25519()
        _write_key(folder / ONLINE / f"{role}.pem", signer)
        root.add_key(signer.public_key, role)


def _write_root(folder: Path, root: Root, signers: list[CryptoSigner]) -> None:
    root.expires = datetime.now(UTC) + timedelta(days=ROOT_DAYS)
    metadata = Metadata(root)
    for signer in signers:
        metadata.sign(signer, append=True)
    data = metadata.to_bytes()
    (folder / ROOTS).mkdir(exist_ok=True)
    (folder / ROOTS / f"{root.version}.root.json").write_bytes(data)
    (folder / "root.json").write_bytes(data)


def _write_key(path: Path, signer: CryptoSigner) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(signer.private_bytes)
    draft.replace(path)


def _read_key(path: Path) -> bytes:
    data = read_bytes(path, _MOST_KEY_BYTES)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{path}: others may read it: chmod 600 {path}")
    return data
