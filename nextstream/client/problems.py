"""Refusals as the server tells them: problem details (RFC 9457)."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import requests

from nextstream.client.errors import Refused

PASSING = frozenset({429, 502, 503, 504})  # also where something between us and the server answers
PAUSE_S = 2.0  # where nobody says how long


def read_problem(answer: requests.Response) -> Refused:
    """Make an error of an answer; one that a proxy gave has the code `http_<status>`."""
    status, body = answer.status_code, _body(answer)
    return Refused(
        status,
        str(body.get("code", f"http_{status}")),
        str(body.get("detail", f"The server answered {status} {answer.reason}.")),
        str(body.get("request_id", answer.headers.get("X-Request-ID", ""))),
        _retry_after_s(answer),
    )


def _body(answer: requests.Response) -> dict[str, Any]:
    if answer.headers.get("Content-Type", "").partition(";")[0] != "application/problem+json":
        return {}
    try:
        body = answer.json()
    except (requests.RequestException, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after_s(answer: requests.Response) -> float | None:
    """Give the seconds to wait, None where it is of no use; the header may be a date, too."""
    told = answer.headers.get("Retry-After")
    if told is None:
        return PAUSE_S if answer.status_code in PASSING else None
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return PAUSE_S
