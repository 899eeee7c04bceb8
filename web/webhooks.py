"""The streaming service's API of webhooks."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from nextstream.domain.access import Action
from nextstream.errors import AddressRefused, TooManyWebhooks, WebhookNotFound
from nextstream.services import webhooks
from web import bodies, http, idempotency, shapes, tokens
from web.contract import operation

blueprint = Blueprint("webhooks", __name__, url_prefix="/api/v1/webhooks")

Url = Annotated[str, Field(max_length=2000)]
Types = Annotated[list[Annotated[str, Field(pattern=r"^[a-z_.*]{1,64}$")]], Field(min_length=1)]


class WebhookWish(http.Body):
    """A new webhook; `everything` makes it all operators', and lets it hear of all accounts."""

    url: Url
    types: Types = Field(default_factory=lambda: ["video.*"])
    everything: bool = False


class WebhookChange(http.Body):
    """What to change of a webhook; what isn't named stays."""

    url: Url | None = None
    types: Types | None = None
    active: bool | None = None


class Page(BaseModel):
    """Which deliveries to list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    before: str | None = None


@blueprint.post("")
@operation(
    Action.MANAGE_WEBHOOK,
    body=WebhookWish,
    gives={201: shapes.NewWebhook},
    errors=(AddressRefused, TooManyWebhooks, WebhookNotFound),
)
@idempotency.once
def add_webhook() -> Response:
    """Add a webhook; its secret is shown this once."""
    account, wish = tokens.account(), http.read_json(WebhookWish)
    made = webhooks.add(http.platform(), account, wish.url, wish.types, everything=wish.everything)
    return http.answer({**bodies.webhook(made), "secret": made.secret}, 201)


@blueprint.get("")
@operation(Action.MANAGE_WEBHOOK, gives={200: shapes.WebhookList})
def list_webhooks() -> Response:
    """List the account's webhooks, and all there are to operators."""
    found = webhooks.own(http.platform(), tokens.account())
    return http.answer({"items": [bodies.webhook(each) for each in found]})


@blueprint.get("/<webhook_id>")
@operation(Action.MANAGE_WEBHOOK, gives={200: shapes.Webhook})
def get_webhook(webhook_id: str) -> Response:
    """Describe a webhook."""
    return http.answer(bodies.webhook(webhooks.get(http.platform(), tokens.account(), webhook_id)))


@blueprint.patch("/<webhook_id>")
@operation(
    Action.MANAGE_WEBHOOK, body=WebhookChange, gives={200: shapes.Webhook}, errors=(AddressRefused,)
)
def change_webhook(webhook_id: str) -> Response:
    """Change a webhook's address, types or activity."""
    account, wish = tokens.account(), http.read_json(WebhookChange)
    wishes = wish.model_dump(exclude_none=True)
    if "types" in wishes:
        wishes["types"] = tuple(wishes["types"])
    return http.answer(bodies.webhook(webhooks.change(http.platform(), account, webhook_id, wishes)))


@blueprint.delete("/<webhook_id>")
@operation(Action.MANAGE_WEBHOOK, gives={204: None})
def remove_webhook(webhook_id: str) -> Response:
    """Remove a webhook."""
    webhooks.remove(http.platform(), tokens.account(), webhook_id)
    return Response(status=204)


@blueprint.post("/<webhook_id>/ping")
@operation(Action.MANAGE_WEBHOOK, gives={202: None})
def ping_webhook(webhook_id: str) -> Response:
    """Send a webhook an event, to try it out."""
    webhooks.ping(http.platform(), tokens.account(), webhook_id)
    return Response(status=202)


@blueprint.get("/<webhook_id>/deliveries")
@operation(Action.MANAGE_WEBHOOK, query=Page, gives={200: shapes.DeliveryList})
def list_deliveries(webhook_id: str) -> Response:
    """List what was sent to a webhook, newest first; `next` is what to send as `before`."""
    account, query = tokens.account(), http.read_query(Page)
    found = webhooks.history(http.platform(), account, webhook_id, query.before, query.limit + 1)
    page = found[: query.limit]
    more = page[-1].id if len(found) > query.limit else None
    return http.answer({"items": [bodies.delivery(each) for each in page], "next": more})


@blueprint.post("/<webhook_id>/deliveries/<delivery_id>/replay")
@operation(Action.MANAGE_WEBHOOK, gives={202: shapes.Delivery})
@idempotency.once
def replay_delivery(webhook_id: str, delivery_id: str) -> Response:
    """Send an event to a webhook again."""
    again = webhooks.replay(http.platform(), tokens.account(), webhook_id, delivery_id)
    return http.answer(bodies.delivery(again), 202)
