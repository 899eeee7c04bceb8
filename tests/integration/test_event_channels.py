"""What Kafka, a webhook's receiver and a follower of a video get: the same CloudEvents, as declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from nextstream import event_schemas
from nextstream.adapters.events_kafka import KafkaSink, Topic
from nextstream.adapters.outside import PublicWeb
from nextstream.domain.accounts import Role
from nextstream.domain.events import FOLLOWED, Event
from nextstream.ports import Platform
from nextstream.services import accounts, operations, transcoding, webhooks
from tests import kafka_topic
from tests.integration.test_http_following import open_stream, read
from tests.integration.test_webhook_worker import receiver  # noqa: F401  a fixture
from tests.sites import Site

TOPIC = "event-channels"


@pytest.fixture
def platform(site: Site, real_kafka_servers: str) -> Iterator[Platform]:
    """Give the site's platform, with a way to Kafka and to receivers on this machine."""
    sink = KafkaSink(real_kafka_servers, Topic(f"{TOPIC}-{site.url.rpartition(':')[2]}"), wait_s=60)
    yield replace(site.platform, sink=sink, outside=PublicWeb(private=True))
    sink.close()


def test_one_body_reaches_kafka_webhooks_and_followers(
    site: Site,
    platform: Platform,
    receiver: Any,  # noqa: F811  the fixture
    real_kafka_servers: str,
) -> None:
    operations.drain(platform)
    webhooks.fan_out(platform)
    user = site.user()
    operator = accounts.add(platform, f"op-{user.name}", "correct horse battery", Role.OPERATOR)
    url = f"http://127.0.0.1:{receiver.server_address[1]}/all"
    webhooks.add(platform, operator, url, ["*"], everything=True)
    video_id = user.upload()
    user.patch(f"/api/v1/videos/{video_id}", json={"title": "New", "visibility": "public"})
    with closing(open_stream(user, video_id, after=0)) as answer:
        told = read(answer)
        transcoding.run(platform, video_id, 1, slots=1)
        followed = [one.data for one in told if one.name == "message"]
    operations.drain(platform)
    while webhooks.fan_out(platform):
        pass
    for hook in webhooks.own(platform, operator):
        while webhooks.deliver(platform, hook.id):
            pass
    topic = platform.sink._topic.name  # type: ignore[attr-defined]  # it is KafkaSink's
    sent = [
        json.loads(message.value() or b"") for message in kafka_topic.read(real_kafka_servers, topic)
    ]
    heard = {body["id"]: body for body in receiver.bodies}

    about_video = [body for body in sent if body["subject"] == video_id]
    assert [body for body in about_video if body["type"].startswith(FOLLOWED)] == followed
    assert [heard[body["id"]] for body in about_video] == about_video
    assert {"video.created", "video.rendition.ready", "video.ready"} <= {b["type"] for b in followed}
    for body in sent:
        check(body)


def test_a_server_gives_its_own_asyncapi_document_to_anyone(site: Site) -> None:
    assert site.guest().get("/api/v1/asyncapi.json").json() == event_schemas.asyncapi()


def check(body: dict[str, Any]) -> None:
    """Read a body as the CloudEvents SDK does, and hold it against its schema and what is declared."""
    event = JSONFormat().read(CloudEvent, json.dumps(body).encode())
    assert (event.get_id(), event.get_type()) == (body["id"], body["type"])
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.validate(body, event_schemas.schema(body["type"]), format_checker=checker)
    event_schemas.check(Event("id", body["type"], body["subject"], event.get_time(), body["data"]))
