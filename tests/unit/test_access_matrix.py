"""Every route x every role x owner, other and stranger: a route without a decision here fails."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from nextstream import wiring
from nextstream.domain.access import Action, may
from nextstream.domain.accounts import SCOPES, Account, Role, Scope
from nextstream.domain.video import Visibility
from nextstream.ports import Platform
from nextstream.services import accounts, api_keys, library, logins, resumable, uploads, webhooks
from web import BLUEPRINTS, create_app

PASSWORD = "correct horse battery"
KEYLESS = frozenset({Scope.ACCOUNT})  # what no API key can have

# Open to all: they serve nobody's data, or look at what they are sent.
OPEN = {
    "GET well_known.list_keys",
    "GET videos.show_asyncapi",
    "GET health.healthz",
    "GET health.readyz",
    "GET openapi.get_openapi",
    "GET pages.show_account",
    "GET pages.show_accounts",
    "GET pages.show_api",
    "GET pages.show_library",
    "GET pages.show_login",
    "GET pages.show_player",
    "GET pages.show_upload",
    "GET static",
    "POST auth.log_in",
    "POST auth.log_out",
    "POST auth.refresh",
    "POST auth.register",
}

# Open by the video's visibility or a ticket, whoever asks: tests/unit/test_rights.py has the rest.
PLAYED = {
    "GET downloads.get_download": {"name": "v720", "form": "mp4"},
    "GET images.get_thumbnail": {"form": "jpg"},
    "GET streaming.get_file": {"name": "v1/v720/init.mp4"},
    "GET streaming.get_key": {"version": 1},
    "GET streaming.get_manifest": {},
    "GET streaming.get_master": {},
}


# Open to whoever has the address, whose secret is the right: tests/integration/test_direct_uploads.py.
CARRIED = {
    "DELETE direct.terminate",
    "PATCH direct.append",
    "POST direct.begin",
    "PUT direct.put",
}


@dataclass(frozen=True)
class Decision:
    """What a route answers to a stranger, a viewer, another uploader, the owner and an operator.

    `scope` is what an API key needs for it; `body` is what is sent.
    """

    stranger: int
    viewer: int
    other: int
    owner: int
    operator: int
    scope: Scope
    body: dict[str, Any] | None = None


def _own(status: int, scope: Scope, **more: Any) -> Decision:
    """Each does it to what is their own."""
    return Decision(401, status, status, status, status, scope, **more)


_PASSWORD = {"current": PASSWORD, "new": "another horse battery"}
_KEY = {"name": "ci", "scopes": ["videos:read"]}
_IMPORT = {"url": "https://example.org/a.mp4"}
_TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
_WEBHOOK = {"url": "https://example.org/"}

DECISIONS = {
    "GET videos.list_videos": _own(200, Scope.VIDEOS_READ),
    "GET videos.get_video": Decision(401, 404, 404, 200, 200, Scope.VIDEOS_READ),
    "PATCH videos.change_video": Decision(401, 403, 404, 200, 200, Scope.VIDEOS_WRITE, {"title": "x"}),
    "DELETE videos.delete_video": Decision(401, 403, 404, 204, 204, Scope.VIDEOS_WRITE),
    "POST videos.grant_playback": Decision(401, 404, 404, 201, 201, Scope.VIDEOS_READ, {}),
    "DELETE videos.revoke_playback": Decision(401, 403, 404, 204, 204, Scope.VIDEOS_WRITE),
    "GET following.follow_video": Decision(401, 404, 404, 200, 200, Scope.VIDEOS_READ),
    "POST encodes.cancel": Decision(401, 403, 404, 200, 200, Scope.VIDEOS_WRITE),
    "POST encodes.retry": Decision(401, 403, 404, 409, 409, Scope.VIDEOS_WRITE),  # it hasn't failed
    "POST encodes.reencode": Decision(401, 403, 404, 409, 409, Scope.VIDEOS_WRITE, {}),  # nor ended
    "GET encodes.list_workers": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "GET subtitles.get": Decision(401, 404, 404, 404, 404, Scope.VIDEOS_READ),  # there are none
    "PUT subtitles.put": Decision(401, 403, 404, 422, 422, Scope.VIDEOS_WRITE),  # an empty body
    "DELETE subtitles.delete": Decision(401, 403, 404, 404, 404, Scope.VIDEOS_WRITE),
    "GET videos.list_events": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "GET videos.show_lag": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "POST webhooks.add_webhook": Decision(401, 403, 201, 201, 201, Scope.WEBHOOKS, _WEBHOOK),
    "GET webhooks.list_webhooks": Decision(401, 403, 200, 200, 200, Scope.WEBHOOKS),
    "GET webhooks.get_webhook": Decision(401, 403, 404, 200, 200, Scope.WEBHOOKS),
    "PATCH webhooks.change_webhook": Decision(401, 403, 404, 200, 200, Scope.WEBHOOKS, {}),
    "DELETE webhooks.remove_webhook": Decision(401, 403, 404, 204, 204, Scope.WEBHOOKS),
    "POST webhooks.ping_webhook": Decision(401, 403, 404, 202, 202, Scope.WEBHOOKS),
    "GET webhooks.list_deliveries": Decision(401, 403, 404, 200, 200, Scope.WEBHOOKS),
    "POST webhooks.replay_delivery": Decision(401, 403, 404, 202, 202, Scope.WEBHOOKS),
    "POST upload.post": Decision(401, 403, 415, 415, 415, Scope.UPLOADS_WRITE),  # no form is sent
    "PUT upload.put": Decision(401, 403, 201, 201, 201, Scope.UPLOADS_WRITE),
    "POST upload.fetch": Decision(401, 403, 403, 403, 403, Scope.UPLOADS_WRITE, _IMPORT),  # it is off
    "POST tus.create": Decision(401, 403, 201, 201, 201, Scope.UPLOADS_WRITE),
    "PATCH tus.append": Decision(401, 403, 404, 415, 415, Scope.UPLOADS_WRITE),  # no bytes are sent
    "DELETE tus.terminate": Decision(401, 403, 404, 204, 204, Scope.UPLOADS_WRITE),
    "POST direct.create": Decision(401, 403, 201, 201, 201, Scope.UPLOADS_WRITE, {}),
    "POST s3_parts.create": Decision(401, 403, 404, 404, 404, Scope.UPLOADS_WRITE, {}),  # no S3 here
    "GET s3_parts.sign": Decision(401, 403, 404, 404, 404, Scope.UPLOADS_WRITE),
    "GET s3_parts.list_parts": Decision(401, 403, 404, 404, 404, Scope.UPLOADS_WRITE),
    "POST s3_parts.complete": Decision(401, 403, 404, 404, 404, Scope.UPLOADS_WRITE, {"parts": []}),
    "DELETE s3_parts.abort": Decision(401, 403, 404, 200, 200, Scope.UPLOADS_WRITE),
    "GET auth.me": _own(200, Scope.VIDEOS_READ),
    "POST account.change_password": _own(200, Scope.ACCOUNT, body=_PASSWORD),
    "GET account.list_sessions": _own(200, Scope.ACCOUNT),
    "DELETE account.end_all_sessions": _own(200, Scope.ACCOUNT),
    "DELETE account.end_session": Decision(401, 404, 404, 204, 404, Scope.ACCOUNT),
    "GET account.get_quota": _own(200, Scope.VIDEOS_READ),
    "GET account.list_keys": _own(200, Scope.ACCOUNT),
    "POST account.make_key": _own(201, Scope.ACCOUNT, body=_KEY),
    "DELETE account.revoke_key": Decision(401, 404, 404, 204, 404, Scope.ACCOUNT),
    "GET operators.list_accounts": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "GET operators.get_account": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "PATCH operators.change_account": Decision(401, 403, 403, 403, 200, Scope.ADMIN, {"role": "viewer"}),
    "DELETE operators.end_sessions_of": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
    "GET operators.list_audit": Decision(401, 403, 403, 403, 200, Scope.ADMIN),
}


@dataclass
class World:
    """An app with an owner's things in it, and someone of each role."""

    platform: Platform
    app: Flask
    people: dict[str, Account]
    things: dict[str, str]

    def ask(self, route: str, headers: dict[str, str], client: FlaskClient | None = None) -> int:
        method, endpoint = route.split(" ")
        path = self.app.url_map.bind("localhost").build(endpoint, self._values(endpoint), method=method)
        body = DECISIONS[route].body
        sent: dict[str, Any] = {"json": body} if body is not None else {}
        if endpoint.startswith("tus."):
            headers = {**_TUS, **headers}
        if endpoint in ("upload.post", "upload.put"):
            sent = {"input_stream": io.BytesIO(b"film"), "content_length": 4}
        asker = client or self.app.test_client()
        return asker.open(path, method=method, headers=headers, **sent).status_code

    def _values(self, endpoint: str) -> dict[str, str]:
        rule = next(rule for rule in self.app.url_map.iter_rules() if rule.endpoint == endpoint)
        assert set(rule.arguments) <= set(self.things), f"give World an example of {rule.arguments}"
        return {name: self.things[name] for name in rule.arguments}

    def token(self, who: str) -> dict[str, str]:
        login = {"name": self.people[who].name, "password": PASSWORD}
        body = self.app.test_client().post("/api/v1/auth/login", json=login).get_json()
        return {"Authorization": f"Bearer {body['access_token']}"}

    def key(self, who: str, scopes: frozenset[Scope]) -> dict[str, str]:
        login = logins.log_in(self.platform, self.people[who].name, PASSWORD)
        caller = logins.caller(self.platform, login.session.id, frozenset(Scope))
        _, text = api_keys.make(self.platform, caller, "key", scopes)
        return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def world() -> World:
    platform = wiring.in_memory()
    roles = {"viewer": Role.VIEWER, "other": Role.UPLOADER, "owner": Role.UPLOADER}
    people = {
        who: accounts.add(platform, f"the-{who}", PASSWORD, role)
        for who, role in {**roles, "operator": Role.OPERATOR}.items()
    }
    owner = people["owner"]
    webhook = webhooks.add(platform, owner, "https://example.org/", ["video.*"])
    video = uploads.receive(platform, owner, "a.mp4", None, [b"film"], None)
    login = logins.log_in(platform, owner.name, PASSWORD)
    caller = logins.caller(platform, login.session.id, frozenset(Scope))
    key, _ = api_keys.make(platform, caller, "mine", frozenset({Scope.VIDEOS_READ}))
    webhooks.fan_out(platform)
    [delivery] = webhooks.history(platform, owner, webhook.id, None, 1)
    things = {
        "account_id": owner.id,
        "filename": "b.mp4",
        "key_id": key.id,
        "session_id": login.session.id,
        "video_id": video.id,
        "webhook_id": webhook.id,
        "language": "de",
        "delivery_id": delivery.id,
        "upload_id": resumable.create(platform, owner, resumable.Wish(4, "c.mp4")).id,
        "number": "1",
    }
    return World(platform, create_app(platform, *BLUEPRINTS), people, things)


def routes(app: Flask) -> set[str]:
    """Give all routes as `METHOD endpoint`; HEAD is GET's, and OPTIONS gives nothing away."""

    def name(rule: Rule) -> set[str]:
        return {f"{method} {rule.endpoint}" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}

    return set().union(*(name(rule) for rule in app.url_map.iter_rules()))


def test_every_route_has_a_decision(world: World) -> None:
    undecided = routes(world.app) - OPEN - set(PLAYED) - CARRIED - set(DECISIONS)
    assert not undecided, f"say in OPEN, PLAYED, CARRIED or DECISIONS who may use {sorted(undecided)}"
    assert OPEN | set(PLAYED) | CARRIED | set(DECISIONS) == routes(world.app)


@pytest.mark.parametrize("route", PLAYED)
@pytest.mark.parametrize("who", ["stranger", "other", "owner"])
def test_a_private_video_is_played_by_a_ticket_alone(world: World, route: str, who: str) -> None:
    video_id, owner = world.things["video_id"], world.people["owner"]
    library.change(world.platform, owner, video_id, {"visibility": Visibility.PRIVATE}, None, None)
    adapter = world.app.url_map.bind("localhost")
    path = adapter.build(route.split(" ")[1], {"video_id": video_id, **PLAYED[route]})
    headers = {} if who == "stranger" else world.token(who)
    answer = world.app.test_client().get(path, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "video_not_found")


@pytest.mark.parametrize("route", DECISIONS)
@pytest.mark.parametrize("who", ["stranger", "viewer", "other", "owner", "operator"])
def test_each_gets_what_is_decided(world: World, route: str, who: str) -> None:
    headers = {} if who == "stranger" else world.token(who)
    assert world.ask(route, headers) == getattr(DECISIONS[route], who)


@pytest.mark.parametrize("route", DECISIONS)
def test_a_key_needs_the_scope_and_no_other_will_do(world: World, route: str) -> None:
    decision = DECISIONS[route]
    who = "operator" if decision.scope is Scope.ADMIN else "owner"
    every = SCOPES[world.people[who].role] - KEYLESS
    if route != "GET auth.me":  # which tells any key what it is
        assert world.ask(route, world.key(who, every - {decision.scope})) == 403
    if decision.scope not in KEYLESS:
        assert world.ask(route, world.key(who, frozenset({decision.scope}))) == getattr(decision, who)


@pytest.mark.parametrize("route", [r for r in DECISIONS if not r.startswith("GET")])
def test_a_browsers_change_needs_the_csrf_header(world: World, route: str) -> None:
    client = world.app.test_client()
    login = {"name": world.people["owner"].name, "password": PASSWORD, "cookies": True}
    assert client.post("/api/v1/auth/login", json=login).status_code == 200
    assert world.ask(route, {}, client) == 403


@pytest.mark.parametrize("role", Role)
def test_what_others_own_is_for_operators_alone(role: Role) -> None:
    account = Account("a", "ann", "", role, wiring.in_memory().clock.now())
    for action in (Action.READ_VIDEO, Action.CHANGE_VIDEO):
        assert may(account, action, "b") == (role is Role.OPERATOR)
    assert may(account, Action.READ_VIDEO, "a")
    assert may(account, Action.CHANGE_VIDEO, "a") == (role is not Role.VIEWER)
