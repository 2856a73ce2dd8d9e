"""Where home is, and where its keys are, which no settings and no message contain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import LinkDownError
from backhaul.uplink.keys import read_keys
from backhaul.uplink.opening import open_home
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.settings import S3Uplink, UplinkSettings
from backhaul.uplink.signature import Keys
from tests.certificates import make_certificate
from tests.tiny_s3 import KEY_ID, REGION, SECRET, TinyS3, tiny_s3

READ: TypeAdapter[UplinkSettings] = TypeAdapter(UplinkSettings)
DOCS = Path(__file__).resolve().parents[3] / "docs" / "uplink.md"
S3 = {"kind": "s3", "bucket": "edge"}
LINES = f"# a node's\nexport AWS_ACCESS_KEY_ID={KEY_ID}\nAWS_SECRET_ACCESS_KEY='{SECRET}'\n"


def s3_uplink(**more: object) -> S3Uplink:
    settings = READ.validate_python(S3 | more)
    assert isinstance(settings, S3Uplink)
    return settings


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(LINES)
    path.chmod(0o600)
    return path


def test_a_bucket_is_opened_and_used(tmp_path: Path, keys_file: Path) -> None:
    ca_file, certificate = make_certificate(tmp_path)
    with tiny_s3(certificate) as s3:
        home = open_home(
            s3_uplink(
                endpoint=f"https://127.0.0.1:{s3.port}/",
                prefix="/nodes/cam-1/",
                region=REGION,
                keys_file=str(keys_file),
                ca_file=str(ca_file),
            )
        )
        assert isinstance(home, S3Home)
        home.put("status.json", b"{}")
        home.close()
        assert s3.puts == ["/edge/nodes/cam-1/status.json"]


def test_the_environment_may_have_the_keys(s3: TinyS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_ID", KEY_ID)
    monkeypatch.setenv("CAM_SECRET", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token")
    settings = s3_uplink(
        endpoint=f"http://127.0.0.1:{s3.port}",
        region=REGION,
        key_id_variable="CAM_ID",
        secret_variable="CAM_SECRET",  # noqa: S106
    )
    assert read_keys(settings) == Keys(KEY_ID, SECRET, "a token")
    home = open_home(settings)
    home.put("a", b"1")
    home.close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_others_may_not_read_the_keys(keys_file: Path, mode: int) -> None:
    keys_file.chmod(mode)
    with pytest.raises(InputError, match="chmod 600") as raised:
        read_keys(s3_uplink(keys_file=str(keys_file)))
    assert SECRET not in str(raised.value)


def test_a_file_without_keys_is_said(keys_file: Path) -> None:
    keys_file.write_text(f"{SECRET}\n")
    with pytest.raises(InputError, match="expected lines AWS_ACCESS_KEY_ID") as raised:
        read_keys(s3_uplink(keys_file=str(keys_file)))
    assert SECRET not in str(raised.value)


def test_a_secret_in_the_place_of_a_name_is_not_repeated() -> None:
    with pytest.raises(InputError, match=r"uplink\.secret_variable") as raised:
        read_keys(
            S3Uplink.model_validate(S3 | {"secret_variable": "wJalrX"}),
            {"AWS_ACCESS_KEY_ID": "a"},
        )
    assert "wJalr" not in str(raised.value)
    with pytest.raises(ValidationError) as invalid:
        S3Uplink.model_validate(S3 | {"secret_variable": "wJalr/XUtnFEMI+"})
    assert "wJalr" not in str(invalid.value)
    with pytest.raises(ValidationError, match="extra"):
        s3_uplink(secret_access_key="wJalr")  # noqa: S106


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "s3.local:8333"},
        {"endpoint": "ftp://s3.local"},
        {"endpoint": "http://s3.local/bucket"},
        {"endpoint": "http://user:secret@s3.local"},
        {"endpoint": "http://s3.local:99999"},
        {"prefix": "a/../b"},
        {"bucket": "a/b"},
        {"region": "a b"},
        {"stall_s": 0},
        {"style": "dns"},
    ],
)
def test_wrong_settings_are_said(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as raised:
        s3_uplink(**wrong)
    assert raised.value.errors()[0]["loc"][-1] in wrong


def test_a_file_without_certificates_is_said(tmp_path: Path, keys_file: Path) -> None:
    for ca_file in (keys_file, tmp_path / "none"):
        with pytest.raises(InputError, match="expected certificates in PEM"):
            open_home(s3_uplink(keys_file=str(keys_file), ca_file=str(ca_file)))


def test_a_folder_is_opened_when_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    home = open_home(READ.validate_python({"kind": "folder", "folder": str(folder)}))
    assert isinstance(home, FolderHome)
    with pytest.raises(LinkDownError, match="No such file or directory"):
        home.put("a", b"1")
    folder.mkdir()
    home.put("a", b"1")
    assert (folder / "a").read_bytes() == b"1"
    with pytest.raises(InputError, match="expected a folder"):
        open_home(READ.validate_python({"kind": "folder", "folder": str(folder / "a")}))


def test_the_examples_of_the_guide_are_settings() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    read = [READ.validate_python(yaml.safe_load(block)["uplink"]) for block in blocks]
    assert [settings.kind for settings in read] == ["s3", "folder"]
