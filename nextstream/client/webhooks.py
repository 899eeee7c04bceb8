"""Webhooks: addresses that are told of events, and what was sent to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nextstream.client.transport import Transport, new_key, part, said
from nextstream.client.values import Delivery, Webhook, read


class Webhooks:
    """The webhooks of the account, and all there are to operators."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def add(self, url: str, types: Sequence[str] = ("video.*",), *, everything: bool = False) -> Webhook:
        """Add one; its `secret`, by which a receiver knows us, is shown this once."""
        body = {"url": url, "types": [*types], "everything": everything}
        return read(Webhook, self._http.json("POST", "/api/v1/webhooks", json=body, key=new_key()))

    def list(self) -> tuple[Webhook, ...]:
        """Give them."""
        items = self._http.json("GET", "/api/v1/webhooks")["items"]
        return tuple(read(Webhook, item) for item in items)

    def get(self, webhook_id: str) -> Webhook:
        """Give one."""
        return read(Webhook, self._http.json("GET", f"/api/v1/webhooks/{part(webhook_id)}"))

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        types: Sequence[str] | None = None,
        active: bool | None = None,
    ) -> Webhook:
        """Change what is given."""
        wishes = {"url": url, "types": [*types] if types else None, "active": active}
        body = said(wishes)
        path = f"/api/v1/webhooks/{part(webhook_id)}"
        return read(Webhook, self._http.json("PATCH", path, json=body))

    def delete(self, webhook_id: str) -> None:
        """Remove one."""
        self._http.call("DELETE", f"/api/v1/webhooks/{part(webhook_id)}")

    def ping(self, webhook_id: str) -> None:
        """Send it an event, to try it out."""
        self._http.call("POST", f"/api/v1/webhooks/{part(webhook_id)}/ping", key=new_key())

    def deliveries(self, webhook_id: str) -> Iterator[Delivery]:
        """Give what was sent to it, newest first."""
        path = f"/api/v1/webhooks/{part(webhook_id)}/deliveries"
        return (read(Delivery, item) for item in self._http.pages(path, {"limit": 100}, "before"))

    def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send an event again."""
        path = f"/api/v1/webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}/replay"
        return read(Delivery, self._http.json("POST", path, key=new_key()))
