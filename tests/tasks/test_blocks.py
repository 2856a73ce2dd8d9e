"""The blocks that an operator fills in, on a Prefect server."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import flow
from prefect.blocks.core import Block
from pydantic import SecretStr

from backhaul.campaign.config import CampaignConfig
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.storage.places import filesystem
from backhaul.values.bandwidth import Bandwidth
from blocks import LabelSource, LabelStudio, ObjectStore, Uplink, patience
from blocks.opening import load_block, resolve, take_up_keys
from flows.arguments import blocks_of, run_key
from flows.course import labels_at
from flows.uplinks import agree_on_bandwidth, expected_bandwidth

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def campaign(**changes: Any) -> CampaignConfig:
    return CampaignConfig.model_validate(
        {
            "name": "a",
            "data": {"kind": "digits"},
            "bandwidth": {"images": 3},
            "methods": ["iqr"],
            **changes,
        }
    )


def test_an_uplink_says_what_a_batch_may_send(tmp_path: Path) -> None:
    Uplink(bits_per_s=8000, seconds=600, share=0.5, images=40).save("mast")
    config = campaign(uplink="mast", store=str(tmp_path))
    assert expected_bandwidth(config, 0) == Bandwidth(images=40, bytes=300_000)
    Uplink(images=5).save("mast", overwrite=True)
    assert expected_bandwidth(config, 0) == Bandwidth(images=5)
    assert agree_on_bandwidth(campaign(), 0).images == 3


def test_an_uplink_that_changes_is_for_the_next_batch(tmp_path: Path) -> None:
    """What a batch has sent is not chosen anew while it waits for its labels."""
    config = campaign(uplink="mast", store=str(tmp_path))
    Uplink(images=5).save("mast", overwrite=True)
    assert agree_on_bandwidth(config, 0) == Bandwidth(images=5)
    Uplink(images=9).save("mast", overwrite=True)
    assert agree_on_bandwidth(config, 0) == Bandwidth(images=5)
    assert expected_bandwidth(config, 0) == Bandwidth(images=5)
    assert agree_on_bandwidth(config, 1) == Bandwidth(images=9)


def test_an_uplink_without_a_limit_is_refused() -> None:
    Uplink().save("open")
    with pytest.raises(InputError, match=r"uplink/open: .*expected images, bytes"):
        expected_bandwidth(campaign(uplink="open"), 0)
    with pytest.raises(InputError, match="no block uplink/nowhere"):
        expected_bandwidth(campaign(uplink="nowhere"), 0)


def test_a_label_source_says_where_labels_are_put(tmp_path: Path) -> None:
    LabelSource(address=str(tmp_path / "desk")).save("desk")
    assert labels_at("/store", InboxData(label_source="desk")) == f"{tmp_path}/desk"
    assert labels_at("/store", InboxData(labels="labels")) == "/store/labels"
    assert labels_at("s3://a/b", InboxData(labels="x/y/")) == "s3://a/b/x/y"


def test_the_keys_of_a_store_are_kept_secret(capsys: pytest.CaptureFixture[str]) -> None:
    key, secret = SecretStr("access-key-word"), SecretStr("secret-key-word")
    block = ObjectStore(
        bucket="b1", prefix="p", access_key_id=key, secret_access_key=secret, region="r1"
    )
    block.save("safe")
    assert resolve("block://safe/data/set") == "s3://b1/p/data/set"
    loaded = ObjectStore.load("safe")
    assert isinstance(loaded, ObjectStore)
    assert loaded.options["secret"] == "secret-key-word"  # noqa: S105
    assert loaded.options["client_kwargs"] == {"region_name": "r1"}
    from prefect import get_client

    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(
            "safe", "object-store", include_secrets=False
        )
    for text in (repr(loaded), str(loaded), loaded.model_dump_json(), str(document.data)):
        assert "key-word" not in text

    @flow(log_prints=True)
    def printing() -> None:
        print(loaded)  # noqa: T201 - as a user may

    printing()
    assert "key-word" not in "".join(capsys.readouterr())


def test_a_flow_run_waits_for_a_server_that_is_away_and_a_person_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = Uplink.load
    Uplink(images=5).save("far")
    asked: list[str] = []

    def refused_at_first(name: str, **options: Any) -> Any:
        asked.append(name)
        if len(asked) % 2:
            raise httpx.ConnectError("connection refused")
        return load(name, **options)

    monkeypatch.setattr(Uplink, "load", refused_at_first)
    monkeypatch.setattr(patience, "POLL_S", 0.01)
    assert flow(load_block)(Uplink, "far").images == 5
    assert len(asked) == 2
    with pytest.raises(httpx.ConnectError):
        load_block(Uplink, "far")
    assert len(asked) == 3


def test_one_bucket_has_one_set_of_keys_in_a_process() -> None:
    one, other = SecretStr("writer"), SecretStr("reader")
    ObjectStore(bucket="b2", access_key_id=one, secret_access_key=one).save("writer")
    ObjectStore(bucket="b2", access_key_id=other, secret_access_key=other).save("reader")
    assert resolve("block://writer") == resolve("block://writer/") == "s3://b2"
    with pytest.raises(InputError, match="bucket b2 is open with other keys"):
        resolve("block://reader")


def test_a_run_is_analysed_with_the_keys_that_it_read_its_images_by() -> None:
    keys = SecretStr("reads-b3")
    ObjectStore(bucket="b3", access_key_id=keys, secret_access_key=keys).save("images")
    config = campaign(data={"kind": "folder", "root": "block://images/set"})
    assert blocks_of(config) == ("block://images/set",)
    take_up_keys(blocks_of(config))
    fs, _ = filesystem("s3://b3/set")
    assert fs.storage_options["key"] == "reads-b3"


def test_a_run_and_a_method_of_another_never_share_a_lease() -> None:
    run, other = campaign(name="cars-iqr"), campaign(name="cars")
    keys = [run_key(run), run_key(other), run_key(other, "iqr"), run_key(run, "iqr")]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("kind", [LabelSource, LabelStudio, ObjectStore, Uplink])
def test_a_block_explains_each_field(kind: type[Block]) -> None:
    fields = kind.model_json_schema()["properties"]
    assert all(field.get("description") for field in fields.values())
    assert kind.get_description()
