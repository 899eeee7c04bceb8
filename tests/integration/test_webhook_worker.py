"""Webhooks by a real worker, to a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nextstream.domain.accounts import Account, Role
from nextstream.services import operations, webhooks
from tests.sites import Site, problem
from tests.workers import House, open_house, wait_until

OPERATOR = Account("operator", "operator", "", Role.OPERATOR, datetime(2030, 1, 1, tzinfo=UTC))


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/slow":
            server.let_go.wait(30)
        server.heard.append((self.path, body["type"]))
        server.bodies.append(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.heard, server.bodies, server.let_go = [], [], threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.let_go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def house(tmp_path: Path, redis_url: str) -> House:
    return open_house(tmp_path, redis_url, OUTSIDE_PRIVATE="true")


def listen(house: House, receiver: Any, path: str) -> None:
    url = f"http://127.0.0.1:{receiver.server_address[1]}{path}"
    webhooks.add(house.platform, OPERATOR, url, ["house.*"], everything=True)


def test_a_slow_receiver_holds_up_no_other(house: House, receiver: Any) -> None:
    listen(house, receiver, "/slow")
    listen(house, receiver, "/quick")
    with house.worker("--pool", "threads", "--concurrency", "4", name="webhooks"):
        for number in range(3):
            operations.note(house.platform, f"house.told_{number}", "house")
        webhooks.fan_out(house.platform)
        wait_until(lambda: len(receiver.heard) == 3, 30)
        assert receiver.heard == [("/quick", f"house.told_{number}") for number in range(3)]
        receiver.let_go.set()
        wait_until(lambda: len(receiver.heard) == 6, 30)


def test_a_worker_that_was_killed_leaves_its_deliveries_to_the_next(
    house: House, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(house, receiver, "/slow")
    operations.note(house.platform, "house.told", "house")
    monkeypatch.setattr(webhooks, "RING_S", 0.0)
    with house.worker("--pool", "threads", name="webhooks", NEXTSTREAM_WEBHOOK_CLAIM_S="1") as worker:
        webhooks.fan_out(house.platform)
        wait_until(lambda: bool(_claimed(house)), 30)
        worker.kill()
    receiver.let_go.set()
    receiver.heard.clear()
    with house.worker("--pool", "threads", name="webhooks", NEXTSTREAM_WEBHOOK_CLAIM_S="1"):

        def delivered() -> bool:
            webhooks.fan_out(house.platform)
            return bool(receiver.heard)

        wait_until(delivered, 30)


def _claimed(house: House) -> bool:
    hook = webhooks.own(house.platform, OPERATOR)[0]
    now = house.platform.clock.now()
    with house.platform.database.transaction() as tx:
        return not tx.webhooks.ring(now, now, 9) and bool(tx.webhooks.next(hook.id, now))


def test_webhooks_are_kept_by_the_api(site: Site) -> None:
    ada, bob, path = site.user(), site.user(), "/api/v1/webhooks"
    made = ada.post(path, json={"url": "https://hooks.example/in", "types": ["video.*"]})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    hook = f"{path}/{made.json()['id']}"
    assert "secret" not in ada.get(hook).json()
    assert [each["id"] for each in ada.get(path).json()["items"]] == [made.json()["id"]]
    assert ada.patch(hook, json={"active": False}).json()["active"] is False
    assert ada.post(f"{hook}/ping").status_code == 202
    assert ada.get(f"{hook}/deliveries").json() == {"items": [], "next": None}
    for method, name in (("get", hook), ("delete", hook), ("post", f"{hook}/ping")):
        answer = getattr(bob, method)(name)
        assert (answer.status_code, problem(answer)["code"]) == (404, "webhook_not_found")
    assert ada.post(path, json={"url": "file:///etc/passwd"}).status_code == 422
    assert ada.post(path, json={"url": "https://a.example", "types": []}).status_code == 400
    assert ada.post(path, json={"url": "https://a.example", "everything": True}).status_code == 404
    assert site.guest().get(path).status_code == 401
    assert ada.delete(hook).status_code == 204
    assert problem(ada.get(hook))["code"] == "webhook_not_found"
