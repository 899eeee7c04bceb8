"""The tables, and how our values lie in them; nextstream/migrations brings databases here."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, TypeAdapter
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
)

from nextstream.domain.accounts import Role, Scope
from nextstream.domain.plan import Piece, Plan
from nextstream.domain.source import SourceInfo
from nextstream.domain.uploading import Stage
from nextstream.domain.video import Failure, Options, Priority, Rendition, State, Visibility
from nextstream.domain.webhooks import Outcome
from nextstream.ports import Parts


class Time(TypeDecorator[datetime]):
    """A moment: goes in with any zone, comes out in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  as SQLAlchemy calls it
        """Give UTC, as SQLite forgets the zone; raises ValueError without one."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  as above
        """Give UTC, with its zone."""
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Word(TypeDecorator[StrEnum]):
    """A member of an enumeration, stored as its word."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002  as above
        """Give the word."""
        return value and str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002  as above
        """Give the member."""
        return None if value is None else self.words(value)


class Value(TypeDecorator[Any]):
    """A frozen value, stored as JSON; a Fraction is a string in it, such as "30000/1001"."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, shape: TypeAdapter[Any]) -> None:
        super().__init__()
        self.shape = shape

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002  as above
        """Give what JSON can say."""
        return None if value is None else self.shape.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002  as above
        """Give the value."""
        return None if value is None else self.shape.validate_python(value)


_Utc = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
_RENDITIONS = TypeAdapter(tuple[Rendition, ...])

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

videos = Table(
    "videos",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign key: videos outlive accounts, and a workbench has none.
    Column("owner_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("state", Word(State), nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("size_bytes", BigInteger),
    Column("request_id", Text),
    Column("source", Value(TypeAdapter(SourceInfo))),
    Column("plan", Value(TypeAdapter(Plan))),
    Column("renditions", Value(_RENDITIONS), nullable=False),
    Column("failure", Value(TypeAdapter(Failure))),
    Column("state_times", Value(TypeAdapter(dict[State, _Utc])), nullable=False),
    Column("visibility", Word(Visibility), nullable=False, server_default=Visibility.UNLISTED),
    Column("ticket_epoch", Integer, nullable=False, server_default="0"),
    Column("playable_at", Time),
    Column("public_version", Integer),
    Column("priority", Word(Priority), nullable=False),
    Column("options", Value(TypeAdapter(Options)), nullable=False),
    Column("keys", Value(TypeAdapter(dict[int, str])), nullable=False),
    Column("traceparent", Text),
    Index(None, "created_at", "id"),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "visibility", "created_at", "id"),
)

# SQLite counts up by itself in a column that is an INTEGER to the letter.
_Place = BigInteger().with_variant(Integer, "sqlite")

pieces = Table(
    "pieces",
    metadata,
    Column("place", _Place, primary_key=True),
    Column("video_id", Text, ForeignKey("videos.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("piece", Value(TypeAdapter(Piece)), nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text),
    Column("token", Text),
    Column("lease_until", Time),
    Column("frames_done", Integer, nullable=False),
    Column("renditions", Value(_RENDITIONS), nullable=False),
    Column("error", Text),
    Column("failed_by", Value(TypeAdapter(tuple[str, ...])), nullable=False),
    Column("failed_at", Time),
    Column("losses", Integer, nullable=False),
    # What the next piece is chosen by, so that no other table is needed for it.
    Column("owner_id", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("sent_at", Time),
    Column("not_before", Time),
    # Of the init segments it made, a text that is the same for all pieces that fit together.
    Column("inits", Text),
    Column("cost_s", Float, nullable=False, server_default="0"),
    UniqueConstraint("video_id", "version", "name"),
    Index(None, "state", "owner_id", "priority", "rank", "place"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("draining", Boolean, nullable=False),
)

purges = Table(
    "purges",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("due_at", Time, nullable=False),
    Column("keep", Text),
    Column("sweeps", Integer, nullable=False),
    Index(None, "due_at"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign keys: a partial upload has no video, and an ended one outlives its own.
    Column("owner_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("part_bytes", Integer, nullable=False),
    Column("length", BigInteger),
    Column("stage", Word(Stage), nullable=False),
    Column("parts", Value(TypeAdapter(Parts)), nullable=False),
    Column("reserved_bytes", BigInteger, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("concat", Text, nullable=False),
    Column("sources", Value(TypeAdapter(tuple[str, ...])), nullable=False),
    Column("secret_hash", Text),
    Column("source_url", Text),
    Column("request_id", Text),
    Column("token", Text),
    Column("lease_until", Time),
    Column("asked", Boolean, nullable=False),
    Column("sent_at", Time),
    UniqueConstraint("secret_hash"),
    Index(None, "owner_id", "stage"),
    Index(None, "stage", "expires_at"),
    Index(None, "token"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Word(Role), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
    Column("quota_bytes", BigInteger),
    Column("quota_minutes", Integer),
    Column("quota_uploads", Integer),
    UniqueConstraint("name"),
)

_SCOPES = Value(TypeAdapter(tuple[Scope, ...]))

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("scopes", _SCOPES, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("used_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("refresh_hash", Text, nullable=False),
    Column("previous_hash", Text),
    Column("nonce", Text),
    Column("address", Text),
    Column("user_agent", Text),
    Column("ended_at", Time),
    Column("ended_by", Text),
    Index(None, "account_id", "ended_at", "used_at", "id"),
    Index(None, "expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", _SCOPES, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
    Column("used_at", Time),
    Column("revoked_at", Time),
    Index(None, "account_id", "created_at", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("place", _Place, primary_key=True),
    Column("time", Time, nullable=False),
    Column("action", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("actor_id", Text),  # no foreign key: the log outlives accounts
    Column("subject_id", Text),
    Column("address", Text),
    Column("request_id", Text),
    Column("data", Value(TypeAdapter(dict[str, Any])), nullable=False),
    Index(None, "actor_id", "place"),
    Index(None, "time"),
    sqlite_autoincrement=True,  # as in the outbox
)

keyed_requests = Table(
    "keyed_requests",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("key_hash", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("lease_until", Time, nullable=False),
    Column("answer", Text),
    Index(None, "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("place", _Place, primary_key=True),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("time", Time, nullable=False),
    Column("data", Value(TypeAdapter(dict[str, Any])), nullable=False),
    Column("request_id", Text),
    Column("traceparent", Text),
    Column("sent", Boolean, nullable=False),
    UniqueConstraint("id"),
    Index(None, "key", "place"),
    sqlite_autoincrement=True,  # else SQLite gives the last place again once its event is removed
)
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("types", Value(TypeAdapter(tuple[str, ...])), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("claimed_until", Time),
    Column("rung_until", Time),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("webhook_id", Text, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_place", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("outcome", Word(Outcome), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    UniqueConstraint("webhook_id", "event_id"),
    Index(None, "webhook_id", "event_place", "id"),
)
WAITING = deliveries.c.outcome == literal_column("'waiting'")
# Few deliveries wait at a time, so these indexes stay small.
Index("ix_deliveries_due", deliveries.c.due_at, sqlite_where=WAITING, postgresql_where=WAITING)
Index(
    "ix_deliveries_next",
    deliveries.c.webhook_id,
    deliveries.c.due_at,
    deliveries.c.event_place,
    sqlite_where=WAITING,
    postgresql_where=WAITING,
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),
)

UNSENT = outbox.c.sent == false()
# Few events are unsent at a time, so this index stays small.
Index("ix_outbox_unsent", outbox.c.place, sqlite_where=UNSENT, postgresql_where=UNSENT)


def columns(table: Table, shape: type[Any]) -> list[Column[Any]]:
    """Give the columns named as a dataclass's fields, so that `shape(*row)` is the value."""
    return [table.c[field.name] for field in fields(shape)]


def row(value: Any) -> dict[str, Any]:
    """Give a dataclass's fields as the columns of a row; what they hold stays as it is."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
