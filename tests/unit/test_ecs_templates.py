"""deploy/ecs agrees with itself and with the code; cfn-lint says what CloudFormation would."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextstream import queue, wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.encoder_memory import MemoryEncoder
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.adapters.storage_split import SplitStorage
from nextstream.domain import paths
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import Encryption, Options, State, Video
from nextstream.ports import Parts, Platform
from nextstream.services import encodes, subtitles, transcoding, uploads
from nextstream.services.subtitles import Label
from nextstream.settings import PREFIX, Settings
from tests import ecs_templates, servers
from tests.ecs_templates import FOLDER, SERVICES, SIZES, STACKS, TEMPLATES

ROOT = Path(__file__).parents[2]
CONTAINER = TEMPLATES["service"]["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]
REGION = "us-east-1"
SOURCE, SEGMENT = paths.source("abc"), paths.segment("abc", 1, "v720", 1)


def test_cfn_lint_finds_nothing() -> None:
    lint = servers.find("cfn-lint", Path(sys.prefix) / "bin")
    command = [lint, "--regions", "eu-central-1", "--", *FOLDER.glob("*.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert found.returncode == 0, found.stdout + found.stderr


def test_each_stack_takes_only_what_one_before_it_exports() -> None:
    there: set[str] = set()
    for name in STACKS:
        template = TEMPLATES[name]
        needed = ecs_templates.imports(template)
        if name == "services":
            needed |= ecs_templates.imports(TEMPLATES["service"])
        assert needed <= there, name
        there |= ecs_templates.exports(template)
    assert {*STACKS, "service"} == TEMPLATES.keys()


@pytest.mark.parametrize("size", SIZES)
def test_each_number_of_a_size_is_a_parameter(size: str) -> None:
    known = {name for stack in STACKS for name in TEMPLATES[stack].get("Parameters", {})}
    assert SIZES[size].keys() <= known
    assert SIZES[size].keys() == SIZES["small"].keys()


@pytest.mark.parametrize("stack", STACKS)
def test_the_script_gives_what_a_stack_has_no_default_for(stack: str) -> None:
    text = (FOLDER / "deploy.sh").read_text()
    for name, parameter in TEMPLATES[stack]["Parameters"].items():
        assert "Default" in parameter or name in SIZES["small"] or f"[{name}]=" in text, name


def test_every_setting_named_there_exists() -> None:
    ours = {entry["Name"] for entry in CONTAINER["Environment"]}
    ours |= {e["Name"] for e in CONTAINER["Secrets"] if "Name" in e and e["Name"].startswith(PREFIX)}
    assert ours <= {PREFIX + field.name.upper() for field in fields(Settings)}


def test_the_services_are_those_of_compose_and_each_queue_has_a_worker() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name for name, it in compose.items() if str(it.get("image", "")).startswith("nextstream-")}
    assert ours - {"migrate", "prepare"} <= SERVICES.keys()
    queues = {words[words.index("-Q") + 1] for words in commands().values() if "-Q" in words}
    assert queues == {queue.MEDIA, queue.UPKEEP, queue.WEBHOOKS, queue.UPLOADS}


def commands() -> dict[str, list[str]]:
    return {name: str(service["Command"]).split(",") for name, service in SERVICES.items()}


def test_web_servers_run_as_in_compose_and_close_no_connection_before_who_keeps_it() -> None:
    """Else what keeps it sends a request into a connection that is being closed, and tells of a 502."""
    balancer = TEMPLATES["cluster"]["Resources"]["Balancer"]["Properties"]["LoadBalancerAttributes"]
    chosen = {each["Key"]: each["Value"] for each in balancer}
    idle_s = int(chosen["idle_timeout.timeout_seconds"])
    serving = {name: words for name, words in commands().items() if words[0] == "gunicorn"}
    assert serving.keys() == {"gateway", "auth", "upload", "streaming"}
    for name, words in serving.items():
        options = dict(zip(words[2::2], words[3::2], strict=False))
        assert options["--worker-class"] == "web.worker.Worker"
        assert options["--logger-class"] == "nextstream.server_log.ServerLog"
        assert int(options["--keep-alive"]) >= (idle_s + 10 if name == "gateway" else 75)


def test_ecs_waits_longer_than_a_worker_goes_on() -> None:
    stop_s = next(e["Value"] for e in CONTAINER["Environment"] if e["Name"] == "NEXTSTREAM_STOP_S")
    assert float(stop_s) + 10 < CONTAINER["StopTimeout"] == 120


def test_beat_alone_never_runs_twice_and_workers_are_left_to_the_policies() -> None:
    assert SERVICES["beat"]["IsSingle"] == "true"
    assert SERVICES["worker"]["Count"] == -1
    deployment = TEMPLATES["service"]["Resources"]["Runs"]["Properties"]["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MaximumPercent"] == {"Fn::If": ["RunsOnce", 100, 200]}


def test_no_bucket_can_be_public_and_both_drop_uploads_that_nobody_ends() -> None:
    buckets = [
        resource["Properties"]
        for resource in TEMPLATES["storage"]["Resources"].values()
        if resource["Type"] == "AWS::S3::Bucket"
    ]
    assert len(buckets) == 2
    for bucket in buckets:
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


# --- Rights: what the storage really asks of S3 for each service, held against its role's policies

Call = tuple[str, str]  # the action of IAM, and the ARN it is about

ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListParts": "s3:ListMultipartUploadParts",
    "DeleteObjects": "s3:DeleteObject",
}


def listened(url: str, bucket: str, calls: list[Call]) -> S3Storage:
    """Open a bucket, and note each call that is made of it."""
    storage = S3Storage.from_url(url)
    storage.ensure_bucket()

    def note(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        objects = params.get("Delete", {}).get("Objects") or [params]
        names = [f"{bucket}/{it['Key']}" if "Key" in it else bucket for it in objects]
        calls.extend((ACTIONS[model.name], f"arn:aws:s3:::{name}") for name in names)

    storage._client.meta.events.register("provide-client-params.s3", note)
    return storage


def allows(statement: Mapping[str, Any], call: Call) -> bool:
    action, arn = call
    resources = as_list(statement["Resource"])
    return action in as_list(statement["Action"]) and any(fnmatch(arn, r) for r in resources)


def resolve(node: Any) -> Any:
    """Give a statement with the buckets' names in place of CloudFormation's functions."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "Fn::GetAtt" in node:
        return f"arn:aws:s3:::{node['Fn::GetAtt'][0].lower()}"
    if "Fn::Sub" in node:
        text = str(node["Fn::Sub"])
        text = text.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", REGION)
        text = text.replace("${AWS::AccountId}", "123456789012")
        for name in ("Sources", "Media"):
            text = text.replace(f"${{{name}.Arn}}", f"arn:aws:s3:::{name.lower()}")
        return text
    return {key: resolve(value) for key, value in node.items()}


def receive(storage: SplitStorage) -> None:
    """Do with the storage what an upload does."""
    key = paths.source("new")
    parts = list(storage.multipart.append(key, Parts(), 5 * 1024**2, [b"x" * 6 * 1024**2]))[-1]
    storage.multipart.complete(key, parts)
    begun = storage.multipart.begin(key)  # type: ignore[attr-defined]  # S3's has it
    storage.multipart.sent(key, begun)  # type: ignore[attr-defined]  # as above
    storage.multipart.abort(key, begun)
    storage.remove(key)


ADA = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())


def uploaded() -> tuple[Platform, Video]:
    """Give a video that was uploaded, with a storage of its own."""
    platform = wiring.in_memory(encoder=MemoryEncoder(), clock=HandClock())
    return platform, uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)


def encode(storage: SplitStorage) -> None:
    """Do with the storage what a worker does."""
    assert storage.read(SOURCE)
    storage.write(paths.segment("abc", 1, "v720", 2), [b"x" * 9 * 1024**2], "video/mp4")
    platform, video = uploaded()
    worker = replace(platform, storage=storage)
    assert transcoding.run(worker, video.id, 1, slots=1).state is State.READY
    encrypted = Options(encryption=Encryption.AES_128)
    encodes.reencode(platform, ADA, video.id, encrypted)
    assert transcoding.run(worker, video.id, 2, slots=1).state is State.READY


def play(storage: SplitStorage) -> None:
    """Do with the storage what streaming does."""
    assert storage.read(SEGMENT)
    storage.put(paths.download_index("abc", 1, "v720"), b"index", "video/mp4")
    platform, video = uploaded()
    assert transcoding.run(platform, video.id, 1, slots=1).state is State.READY
    streaming, label = replace(platform, storage=storage), Label("en")
    subtitles.put(streaming, ADA, video.id, label, b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello.\n")
    subtitles.remove(streaming, ADA, video.id, label)


def purge(storage: SplitStorage) -> None:
    """Do with the storage what upkeep does."""
    assert storage.remove(f"{paths.root('abc')}/") == 2
    receive(storage)


WORK = {"upload": receive, "imports": receive, "worker": encode, "streaming": play, "upkeep": purge}


@pytest.mark.parametrize("service", WORK)
def test_a_service_may_do_what_it_does(service: str, s3_url: str) -> None:
    calls: list[Call] = []
    url = re.sub("s3://[^?]+", f"s3://{{}}-{service}", s3_url)
    sources, media = (listened(url.format(b), b, calls) for b in ("sources", "media"))
    storage = SplitStorage(sources, media)
    storage.put(SOURCE, b"source", "video/mp4")
    storage.put(SEGMENT, b"segment", "video/mp4")
    calls.clear()
    WORK[service](storage)
    statements = [resolve(statement) for statement in ecs_templates.policies(service)]
    assert calls
    assert not [call for call in calls if not any(allows(s, call) for s in statements)]


@pytest.mark.parametrize("service", ["auth", "worker", "streaming", "gateway", "webhooks", "flower"])
def test_a_service_that_takes_no_uploads_cannot_change_sources(service: str) -> None:
    statements = [resolve(statement) for statement in ecs_templates.policies(service)]
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not any(allows(s, (action, f"arn:aws:s3:::sources/{SOURCE}")) for s in statements)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_may_do_everything(service: str) -> None:
    actions = [str(action) for s in ecs_templates.policies(service) for action in as_list(s["Action"])]
    assert not [action for action in actions if "*" in action]
    everywhere = [s for s in ecs_templates.policies(service) if s["Resource"] == "*"]
    assert all("Condition" in statement for statement in everywhere)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
