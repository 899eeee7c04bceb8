from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook as Reference

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.outside_memory import MemoryOutside
from nextstream.domain import webhooks as rules
from nextstream.domain.events import happen
from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.errors import AddressRefused, TooManyWebhooks, WebhookNotFound
from nextstream.ports import Platform
from nextstream.services import operations, uploads, webhooks
from tests.unit.test_library import ADA, BOB, OPERATOR

URL = "https://hooks.example/in"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime.now(UTC))


@pytest.fixture
def outside() -> MemoryOutside:
    return MemoryOutside()


@pytest.fixture
def platform(clock: HandClock, outside: MemoryOutside) -> Platform:
    return wiring.in_memory(clock=clock, outside=outside)


def add(platform: Platform, *types: str, **options: Any) -> Webhook:
    return webhooks.add(platform, options.pop("owner", ADA), URL, types or ("video.*",), **options)


def upload(platform: Platform) -> str:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None).id


def work(platform: Platform) -> None:
    """Do what beat and the workers do, once."""
    webhooks.fan_out(platform)
    dispatcher = platform.dispatcher
    assert isinstance(dispatcher, MemoryDispatcher)
    while dispatcher.rung:
        webhooks.deliver(platform, dispatcher.rung.pop(0))


def last(platform: Platform, webhook: Webhook) -> Delivery:
    return webhooks.history(platform, OPERATOR, webhook.id, None, 1)[0]


def heard(outside: MemoryOutside) -> list[str]:
    return [json.loads(sent.body)["type"] for sent in outside.sent]


def test_an_owner_hears_of_the_own_videos_in_order(platform: Platform, outside: MemoryOutside) -> None:
    add(platform)
    add(platform, owner=BOB)
    video_id = upload(platform)
    work(platform)
    assert heard(outside) == ["video.created", "video.uploaded"]
    assert {json.loads(sent.body)["subject"] for sent in outside.sent} == {video_id}
    work(platform)
    assert len(outside.sent) == 2


def test_the_operators_webhook_hears_of_everything(platform: Platform, outside: MemoryOutside) -> None:
    add(platform, "*", owner=OPERATOR, everything=True)
    upload(platform)
    operations.note(platform, "worker.online", "media@host")
    work(platform)
    assert heard(outside) == ["video.created", "video.uploaded", "worker.online"]


def test_only_operators_hear_of_everything(platform: Platform) -> None:
    with pytest.raises(WebhookNotFound):
        add(platform, everything=True)


@pytest.mark.parametrize(
    ("types", "hears"),
    [
        (("video.ready",), True),
        (("video.*",), True),
        (("*",), True),
        (("auth.*", "video.failed"), False),
    ],
)
def test_types_are_names_or_patterns(types: tuple[str, ...], hears: bool) -> None:
    webhook = Webhook("w", "ada", URL, "whsec_", types, datetime.now(UTC))
    event = happen("video.ready", "v", datetime.now(UTC))
    assert rules.hears(webhook, event, "ada") is hears
    assert not rules.hears(webhook, event, "bob")
    assert not rules.hears(replace(webhook, active=False), event, "ada")


def test_a_body_is_the_event_and_its_signature_is_the_specifications(
    platform: Platform, outside: MemoryOutside
) -> None:
    webhook = add(platform)
    upload(platform)
    work(platform)
    sent = outside.sent[0]
    body = Reference(webhook.secret).verify(sent.body, dict(sent.headers))
    assert (body["specversion"], body["id"]) == ("1.0", sent.headers["webhook-id"])
    assert sent.headers["Content-Type"] == "application/cloudevents+json"
    with pytest.raises(Exception, match="signature"):
        Reference(rules.new_secret()).verify(sent.body, dict(sent.headers))


def test_what_fails_is_tried_again_ever_later_for_a_day(
    platform: Platform, outside: MemoryOutside, clock: HandClock
) -> None:
    webhook, begun = add(platform), clock.now()
    upload(platform)
    outside.away = True
    pauses = []
    while True:
        work(platform)
        found = webhooks.history(platform, ADA, webhook.id, None, 9)[-1]
        if found.outcome is not Outcome.WAITING:
            break
        pauses.append((found.due_at - clock.now()).total_seconds())
        clock.advance(pauses[-1] + 1)
    assert found.outcome is Outcome.FAILED
    assert (found.attempt, found.error) == (11, "The other side can't be reached just now.")
    assert pauses[0] < 6
    assert all(later > sooner for sooner, later in pairwise(pauses))
    assert timedelta(hours=18) < clock.now() - begun < timedelta(hours=27)


def test_a_receiver_that_comes_back_gets_what_it_missed(
    platform: Platform, outside: MemoryOutside, clock: HandClock
) -> None:
    webhook = add(platform)
    upload(platform)
    outside.status = 500
    work(platform)
    assert last(platform, webhook).error == "the receiver answered 500"
    outside.status = 200
    clock.advance(10)
    work(platform)
    delivered = last(platform, webhook)
    assert (delivered.outcome, delivered.attempt, delivered.status) == (Outcome.DELIVERED, 2, 200)


def test_one_that_does_not_answer_holds_up_no_other(platform: Platform, outside: MemoryOutside) -> None:
    webhooks.add(platform, ADA, "http://localhost/", ("video.*",))
    add(platform)
    upload(platform)
    work(platform)
    assert heard(outside) == ["video.created", "video.uploaded"]


def test_a_private_address_is_not_tried_again(platform: Platform) -> None:
    webhook = webhooks.add(platform, ADA, "http://localhost/", ("video.*",))
    upload(platform)
    work(platform)
    assert last(platform, webhook).outcome is Outcome.FAILED


def test_a_receiver_that_is_gone_hears_no_more(platform: Platform, outside: MemoryOutside) -> None:
    webhook = add(platform)
    upload(platform)
    outside.status = 410
    work(platform)
    assert not webhooks.get(platform, ADA, webhook.id).active
    assert len(outside.sent) == 1


@dataclass
class Meanwhile(MemoryOutside):
    """Takes a while to answer, in which something else is done."""

    act: Callable[[], object] = list

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Let it happen, and answer."""
        self.act()
        return super().post(url, body, headers)


@pytest.mark.parametrize(
    ("change", "active"),
    [({"url": "https://hooks.example/new"}, True), ({"types": ("*",)}, False)],
    ids=["another address", "other types"],
)
def test_what_an_owner_changes_while_the_old_receiver_says_it_is_gone_is_kept(
    clock: HandClock, change: dict[str, Any], active: bool
) -> None:
    outside = Meanwhile(status=410)
    platform = wiring.in_memory(clock=clock, outside=outside)
    webhook = add(platform, "video.uploaded")
    outside.act = lambda: webhooks.change(platform, ADA, webhook.id, change)
    upload(platform)
    webhooks.fan_out(platform)
    webhooks.deliver(platform, webhook.id)
    kept = webhooks.get(platform, ADA, webhook.id)
    assert kept == replace(webhook, **change, active=active)


def test_a_delivery_can_be_sent_again(
    platform: Platform, outside: MemoryOutside, clock: HandClock
) -> None:
    webhook = add(platform)
    upload(platform)
    work(platform)
    delivery = last(platform, webhook)
    webhooks.replay(platform, ADA, webhook.id, delivery.id)
    work(platform)
    assert heard(outside)[-1] == heard(outside)[-2] == "video.uploaded"
    with pytest.raises(WebhookNotFound):
        webhooks.replay(platform, BOB, webhook.id, delivery.id)


def test_an_event_that_is_no_longer_kept_fails(platform: Platform) -> None:
    webhook = add(platform)
    upload(platform)
    webhooks.fan_out(platform)
    delivery = last(platform, webhook)
    with platform.database.transaction() as tx:
        tx.webhooks.note(replace(delivery, event_id="another"))
    work(platform)
    assert last(platform, webhook).error == "the event is gone"


def test_what_was_delivered_goes_with_its_event(platform: Platform, clock: HandClock) -> None:
    """Else each event would leave a row for each webhook, for ever."""
    webhook = add(platform)
    upload(platform)
    work(platform)
    operations.drain(platform)
    assert (operations.prune(platform), webhooks.prune(platform)) == (0, 0)
    clock.advance(platform.settings.events_kept_s + 1)
    upload(platform)
    work(platform)
    operations.drain(platform)
    assert len(webhooks.history(platform, ADA, webhook.id, None, 9)) == 4
    assert (operations.prune(platform), webhooks.prune(platform)) == (2, 2)
    assert len(webhooks.history(platform, ADA, webhook.id, None, 9)) == 2
    clock.advance(platform.settings.events_kept_s + 1)
    assert (operations.prune(platform), webhooks.prune(platform)) == (2, 2)


def test_a_ping_reaches_one_webhook_whatever_its_types(
    platform: Platform, outside: MemoryOutside
) -> None:
    webhook = add(platform, "video.ready")
    add(platform, "*")
    webhooks.ping(platform, ADA, webhook.id)
    work(platform)
    assert heard(outside) == ["webhook.ping"]


def test_an_account_has_so_many_webhooks_at_most(platform: Platform) -> None:
    for _ in range(webhooks.WEBHOOKS_MAX):
        add(platform)
    with pytest.raises(TooManyWebhooks):
        add(platform)
    add(platform, owner=BOB)


def test_webhooks_are_there_for_their_owner_and_operators_alone(platform: Platform) -> None:
    webhook = add(platform)
    assert webhooks.own(platform, BOB) == []
    assert webhooks.own(platform, OPERATOR) == [webhook]
    for act in (webhooks.get, webhooks.remove, webhooks.ping):
        with pytest.raises(WebhookNotFound):
            act(platform, BOB, webhook.id)
    with pytest.raises(WebhookNotFound):
        webhooks.change(platform, BOB, webhook.id, {"active": False})
    with pytest.raises(AddressRefused):
        webhooks.change(platform, ADA, webhook.id, {"url": "ftp://x"})
    assert webhooks.change(platform, ADA, webhook.id, {"types": ("*",)}).types == ("*",)
    webhooks.remove(platform, ADA, webhook.id)
    assert webhooks.own(platform, ADA) == []


def test_a_queue_that_is_away_delays_deliveries_only(
    platform: Platform, outside: MemoryOutside, clock: HandClock
) -> None:
    add(platform)
    upload(platform)
    assert isinstance(platform.dispatcher, MemoryDispatcher)
    platform.dispatcher.away = True
    assert webhooks.fan_out(platform) == 2
    platform.dispatcher.away = False
    clock.advance(webhooks.RING_S + 1)
    work(platform)
    assert heard(outside) == ["video.created", "video.uploaded"]
