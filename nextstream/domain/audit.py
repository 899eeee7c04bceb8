"""What the audit log holds: who did what, when, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Where a request came from."""

    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


NOWHERE = Origin()  # the command line and tests


@dataclass(frozen=True)
class Deed:
    """One line of the audit log; `actor_id` is None for strangers, `subject_id` what was changed."""

    time: datetime
    action: str
    result: str
    actor_id: str | None = None
    subject_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
