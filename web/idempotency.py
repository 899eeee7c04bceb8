"""The header Idempotency-Key: a view that creates something gives its first answer again to a repeat.

Playback links create nothing that is kept, so each request may have its own; PUT of subtitles and
PATCH say by themselves what is to be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial, wraps

from flask import Response, request

from nextstream.domain import idempotency
from nextstream.domain.accounts import Caller
from nextstream.services.idempotency import turn
from web import contract, http, tokens, wire

REPLAYED = "Idempotent-Replayed"
# They tell requests apart whose body is a file: nobody reads that twice to compare it.
_TELLING = ("Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat")

View = Callable[..., Response]


def _of_body() -> object:
    """Tell a body from others, but read none that is a file."""
    if request.is_json and request.method == "POST":
        return http.read_body()
    return request.mimetype, request.content_length


def once(view: View, tell: Callable[[], object] = _of_body) -> View:
    """Let a view create once what is asked for under a key; only answers of success are kept.

    `tell` gives what tells the request's body from others.
    """

    @wraps(view)
    def answer(**arguments: str) -> Response:
        header = request.headers.get(idempotency.HEADER)
        if header is None:
            return view(**arguments)
        key, caller = idempotency.parse(header), tokens.account()
        with turn(http.platform(), caller.id, key, _fingerprint(caller, tell())) as mine:
            if mine.answer is not None:
                return _replay(mine.answer)
            response = view(**arguments)
            if response.status_code < 300:
                mine.answer = _pack(response)
            return response

    setattr(answer, contract.ONCE, True)
    return answer


def _fingerprint(caller: Caller, body: object) -> str:
    """Tell this request from others: also from the same one by a token that may do less."""
    told = {name: request.headers.get(name) for name in _TELLING}
    target = (request.method, request.path, request.query_string)
    return idempotency.digest(target, sorted(caller.scopes), sorted(told.items(), key=str), body)


def _pack(response: Response) -> bytes:
    headers = [(name, value) for name, value in response.headers if name != "Set-Cookie"]
    return json.dumps([response.status_code, headers, response.get_data(as_text=True)]).encode()


def _replay(packed: bytes) -> Response:
    status, headers, body = json.loads(packed)
    response = Response(body, status, [(name, value) for name, value in headers])
    response.headers[REPLAYED] = "true"
    response.call_on_close(partial(wire.linger, request.environ))  # its body is unread
    return response
