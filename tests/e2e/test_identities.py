"""Who may do what in the object store, tried with their keys, and its side ports without."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from backhaul.errors import InputError
from deployments.local.certificates import own_certificate
from deployments.local.identities import ROLES, Identity, Keys
from deployments.local.seaweedfs import SeaweedFS
from deployments.local.service import find_process
from tests.identities import STORE, files_of

pytestmark = pytest.mark.s3

PLACES = {
    "own inbox": "inbox/cam-1/a.jpg",
    "own status": "nodes/cam-1/status.json",
    "another inbox": "inbox/cam-2/a.jpg",
    "an inbox with a longer name": "inbox/cam-10/a.jpg",
    "inbox": "inbox/a.jpg",
    "another's status": "nodes/cam-2/status.json",
    "published": "published/model.onnx",
    "labels": "labels/cam-1/a.txt",
    "ingested": "ingested/images/ab/a.jpg",
    "results": ".backhaul/results/x",
    "runs": "runs/a/run.json",
    "another store": "../b/a.jpg",
    "the bucket": "../../a.jpg",
}
"""Places of files, below a store."""

EVERYWHERE = set(PLACES)
STORES = EVERYWHERE - {"another store", "the bucket"}
OWN = {"own inbox", "own status"}

READS = {
    "home-site": STORES,
    "worker-gpu": STORES,
    "node-cam-1": OWN | {"published"},
    "annotator-ann": {"labels"},
    "reader-chief": STORES,
}
WRITES = {
    "home-site": STORES,
    "worker-gpu": {"results", "runs"},
    "node-cam-1": OWN,
    "annotator-ann": {"labels"},
    "reader-chief": set(),
}
DELETES = {
    "home-site": STORES,
    "worker-gpu": {"results", "runs"},
    "node-cam-1": set(),
    "annotator-ann": set(),
    "reader-chief": set(),
}
LISTS = {
    "home-site": {"", f"{STORE}/labels/", f"{STORE}/inbox/cam-1/"},
    "worker-gpu": {"", f"{STORE}/labels/", f"{STORE}/inbox/cam-1/"},
    "node-cam-1": set(),
    "annotator-ann": {f"{STORE}/labels/"},
    "reader-chief": {"", f"{STORE}/labels/", f"{STORE}/inbox/cam-1/"},
}


def key_of(place: str) -> str:
    parts: list[str] = []
    for part in f"{STORE}/{PLACES[place]}".split("/"):
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


@pytest.fixture
def filled(object_store: SeaweedFS) -> SeaweedFS:
    for place in PLACES:
        object_store.filesystem.pipe_file(f"edge/{key_of(place)}", b"as it was")
    return object_store


def refused(files: Any, method: str, **arguments: Any) -> bool:
    try:
        files.call_s3(method, Bucket="edge", **arguments)
    except PermissionError:
        return True
    return False


@pytest.mark.parametrize("who", READS)
def test_each_may_do_what_its_role_needs_and_no_more(who: str, filled: SeaweedFS) -> None:
    files, all_files = files_of(filled, who), filled.filesystem
    read, written, deleted = (
        {place for place in PLACES if not refused(files, method, Key=key_of(place), **more)}
        for method, more in (
            ("get_object", {}),
            ("put_object", {"Body": b"new"}),
            ("delete_object", {}),
        )
    )
    assert read == READS[who]
    assert written == WRITES[who]
    assert deleted == DELETES[who]
    for place in EVERYWHERE - written:
        assert all_files.cat_file(f"edge/{key_of(place)}") == b"as it was"
    prefixes = ("", f"{STORE}/labels/", f"{STORE}/inbox/cam-1/")
    listed = {p for p in prefixes if not refused(files, "list_objects_v2", Prefix=p)}
    assert listed == LISTS[who]


@pytest.mark.parametrize("who", ["node-cam-1", "annotator-ann", "reader-chief", "worker-gpu"])
def test_no_detour_leads_elsewhere(who: str, filled: SeaweedFS) -> None:
    files, victim, own = files_of(filled, who), key_of("ingested"), key_of("own inbox")
    for key in (f"{STORE}/inbox/cam-1/../../labels/x", f"{STORE}/labels/../ingested/x"):
        with pytest.raises(OSError, match=r"Invalid|Denied|denied|Forbidden"):
            files.call_s3("put_object", Bucket="edge", Key=key, Body=b"x")
    for target, source in ((victim, own), (key_of("another inbox"), own)):
        assert refused(files, "copy_object", Key=target, CopySource=f"edge/{source}")
    assert refused(files, "create_multipart_upload", Key=victim)
    many = {"Objects": [{"Key": victim}, {"Key": own}]}
    answer = files.call_s3("delete_objects", Bucket="edge", Delete=many)
    assert {each["Key"] for each in answer["Errors"]} == {victim, own}
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    policy = {"Version": "2012-10-17", "Statement": [everybody]}
    assert refused(files, "put_bucket_policy", Policy=json.dumps(policy))
    assert refused(files, "put_object_acl", Key=own, ACL="public-read-write")
    assert refused(files, "put_object_tagging", Key=victim, Tagging={"TagSet": []})
    assert refused(files, "delete_bucket")
    with pytest.raises(PermissionError):
        files.call_s3("create_bucket", Bucket="mine")
    for place in PLACES:
        assert filled.filesystem.cat_file(f"edge/{key_of(place)}") == b"as it was"


def test_a_node_cannot_read_through_a_copy(filled: SeaweedFS) -> None:
    node = files_of(filled, "node-cam-1")
    source = f"edge/{key_of('results')}"
    assert refused(node, "copy_object", Key=key_of("own inbox"), CopySource=source)


def test_nobody_without_keys_is_let_in(filled: SeaweedFS) -> None:
    for place in PLACES:
        url = f"{filled.address}/edge/{key_of(place)}"
        assert httpx.get(url).status_code == 403
        assert httpx.put(url, content=b"new").status_code == 403
        assert httpx.delete(url).status_code == 403
    assert httpx.get(f"{filled.address}/edge").status_code == 403


# Side ports


def http_ports(store: SeaweedFS) -> list[str]:
    """Where it answers HTTP, but for S3."""
    names = ("master", "volume", "filer")
    return [f"http://127.0.0.1:{store.ports[name]}" for name in names]


ATTEMPTS = [
    *itertools.product(
        ["GET", "PUT", "POST", "DELETE"],
        ["/buckets/edge/{key}", "/buckets/edge/", "/.tus/buckets/edge/x", "/1,01637037d6"],
    ),
    *itertools.product(
        ["GET", "POST"],
        [
            *("/dir/assign", "/dir/lookup?fileId=1,01637037d6", "/dir/status", "/submit"),
            *("/col/delete?collection=edge", "/vol/grow?count=1", "/vol/vacuum", "/vol/status"),
            *("/etc/iam/identity.json", "/?proxyChunkId=1,01637037d6", "/admin/assign_volume"),
        ],
    ),
]


def test_no_http_port_beside_s3_reads_writes_or_deletes(filled: SeaweedFS) -> None:
    before = sorted(filled.filesystem.find("edge/site"))
    for address, (method, path) in itertools.product(http_ports(filled), ATTEMPTS):
        url = address + path.format(key=key_of("results"))
        answer = httpx.request(method, url, content=b"new" if method != "GET" else None)
        about_itself = b"<title>SeaweedFS" in answer.content  # the master's page, for people
        assert about_itself or 400 <= answer.status_code < 500, f"{method} {url}"
        assert "authorization" not in answer.headers  # a token for another port
        assert b"as it was" not in answer.content
    for place in PLACES:
        assert filled.filesystem.cat_file(f"edge/{key_of(place)}") == b"as it was"
    assert sorted(filled.filesystem.find("edge/site")) == before


GRPC = {
    "master": "/master_pb.Seaweed/CollectionList",
    "volume": "/volume_server_pb.VolumeServer/VolumeServerStatus",
    "filer": "/filer_pb.SeaweedFiler/ListEntries",
    "s3": "/s3_pb.SeaweedS3/Configure",
}


def grpc_places(store: SeaweedFS) -> Iterator[tuple[str, str]]:
    """Its ports and sockets for gRPC, with something to ask there."""
    for name, method in GRPC.items():
        port = store.ports[name] + 10_000
        yield f"127.0.0.1:{port}", method
        yield f"unix:/tmp/seaweedfs-{name}-grpc-{port}.sock", method


def code_of(place: str, method: str, credentials: Any) -> grpc.StatusCode:
    options = [("grpc.ssl_target_name_override", "seaweedfs")]
    with (
        grpc.insecure_channel(place)
        if credentials is None
        else grpc.secure_channel(place, credentials, options)
    ) as channel:
        try:
            list(channel.unary_stream(method)(b"", timeout=10))
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


def test_no_grpc_port_takes_who_has_no_certificate(filled: SeaweedFS) -> None:
    trusted = filled.access.certificate.read_bytes()
    strange, key = own_certificate("seaweedfs")
    own = filled.access.key.read_bytes()
    places = list(grpc_places(filled))
    assert len(places) == 8
    for place, method in places:
        for credentials in (
            None,
            grpc.ssl_channel_credentials(trusted),
            grpc.ssl_channel_credentials(trusted, key.encode(), strange.encode()),
        ):
            assert code_of(place, method, credentials) == grpc.StatusCode.UNAVAILABLE, place
        member = grpc.ssl_channel_credentials(trusted, own, trusted)
        answers = {grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED}
        assert code_of(place, method, member) in answers, place  # it is there


def test_it_has_no_other_port(object_store: SeaweedFS) -> None:
    process = find_process(object_store.folder)
    assert process is not None
    found = process.net_connections("inet")
    listening = [each.laddr for each in found if each.status == psutil.CONN_LISTEN]
    known = {port + above for port in object_store.ports.values() for above in (0, 10_000)}
    assert {each.port for each in listening} == known
    assert {each.ip for each in listening} == {"127.0.0.1"}
    assert object_store.folder.stat().st_mode & 0o077 == 0


# Keys


def test_names_cannot_widen_a_policy(tmp_path: Path) -> None:
    for name in ("*", "a*", "?", "../b", "a/b", "", ".", "a b", "${x}", "a\n", "a" * 101):
        with pytest.raises(InputError, match="as a name"):
            Identity("node", name)
    for store in ("*", "a/*", "a//b", "../b", "a/../b", "/a", "a/"):
        with pytest.raises(InputError, match="as a store"):
            Identity("node", "cam", store)


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_names_its_bucket_and_store_alone(role: Any) -> None:
    text = json.dumps(Identity(role, "NODE-BUCKET", "STORE").policy("edge"))
    resources = [r for s in json.loads(text)["Statement"] for r in s["Resource"]]
    assert all(
        r == "arn:aws:s3:::edge" or r.startswith("arn:aws:s3:::edge/STORE/") for r in resources
    )
    assert ("inbox/NODE-BUCKET/*" in text) == (role == "node")


def test_keys_are_private_and_are_read_again(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    one, other = Identity("node", "cam-1", "a/b"), Identity("annotator", "ann")
    files = [keys.add(each, "edge", "http://127.0.0.1:8333") for each in (one, other)]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert sorted(keys.identities, key=str) == sorted([one, other], key=str)
    with pytest.raises(InputError, match="has keys already"):
        keys.add(Identity("node", "cam-1"), "edge", "http://127.0.0.1:8333")
    files[0].write_text("")
    with pytest.raises(InputError, match=r"cam-1\.env: expected"):
        _ = keys.identities
