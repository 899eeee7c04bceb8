"""All ports together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.ports.accounts import Passwords
from nextstream.ports.database import Database
from nextstream.ports.dispatch import Dispatcher
from nextstream.ports.encoder import Encoder
from nextstream.ports.events import EventSink
from nextstream.ports.limits import Limits
from nextstream.ports.outside import Outside
from nextstream.ports.remote import Remote
from nextstream.ports.scaling import Scaling
from nextstream.ports.signing import SigningKeys
from nextstream.ports.storage import Storage
from nextstream.ports.telemetry import Metrics, Tracer
from nextstream.settings import Settings


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the time, with its zone (UTC)."""
        ...


class Shift(Protocol):
    """Tells how long this process may go on."""

    def left_s(self) -> float | None:
        """Give the seconds until it has to stop; None as long as nobody asked it to."""
        ...


@dataclass(frozen=True)
class Platform:
    """Everything a service may touch; wiring.build makes it."""

    settings: Settings
    clock: Clock
    storage: Storage
    database: Database
    sink: EventSink
    dispatcher: Dispatcher
    encoder: Encoder
    passwords: Passwords
    signing_keys: SigningKeys
    limits: Limits
    outside: Outside
    shift: Shift
    remote: Remote
    metrics: Metrics
    tracer: Tracer
    scaling: Scaling
