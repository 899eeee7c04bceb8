"""What the services need of the world, as small protocols; adapters/ has the ways to get it.

Every adapter raises only errors of nextstream.errors. Each port has an in-memory twin.
"""

from nextstream.ports.accounts import Accounts, Passwords
from nextstream.ports.api_keys import ApiKeys
from nextstream.ports.audit import Audit, AuditEntry
from nextstream.ports.database import Database, Transaction
from nextstream.ports.dispatch import Dispatcher, Message
from nextstream.ports.encoder import EncodedPiece, Encoder, Report
from nextstream.ports.events import Backlog, EventSink, Outbox, OutboxEntry
from nextstream.ports.idempotency import KeyedRequest, KeyedRequests
from nextstream.ports.limits import Limits
from nextstream.ports.outside import Outside
from nextstream.ports.pieces import Pieces, Standing, Tally, Task
from nextstream.ports.platform import Clock, Platform, Shift
from nextstream.ports.protection import Protection
from nextstream.ports.purges import Purge, Purges
from nextstream.ports.remote import Remote, RemoteFile
from nextstream.ports.scaling import Scaling
from nextstream.ports.sessions import Sessions
from nextstream.ports.signing import SigningKeys
from nextstream.ports.storage import Multipart, Parts, Presigning, SentPart, Storage, StoredObject
from nextstream.ports.telemetry import Fact, Metrics, Span, SpanKind, Tracer
from nextstream.ports.uploads import Upload, Uploads, Usage
from nextstream.ports.videos import Access, Order, Place, Videos, Wanted
from nextstream.ports.webhooks import Webhooks
from nextstream.ports.workers import Worker, Workers

__all__ = [
    "Access",
    "Accounts",
    "ApiKeys",
    "Audit",
    "AuditEntry",
    "Backlog",
    "Clock",
    "Database",
    "Dispatcher",
    "EncodedPiece",
    "Encoder",
    "EventSink",
    "Fact",
    "KeyedRequest",
    "KeyedRequests",
    "Limits",
    "Message",
    "Metrics",
    "Multipart",
    "Order",
    "Outbox",
    "OutboxEntry",
    "Outside",
    "Parts",
    "Passwords",
    "Pieces",
    "Place",
    "Platform",
    "Presigning",
    "Protection",
    "Purge",
    "Purges",
    "Remote",
    "RemoteFile",
    "Report",
    "Scaling",
    "SentPart",
    "Sessions",
    "Shift",
    "SigningKeys",
    "Span",
    "SpanKind",
    "Standing",
    "Storage",
    "StoredObject",
    "Tally",
    "Task",
    "Tracer",
    "Transaction",
    "Upload",
    "Uploads",
    "Usage",
    "Videos",
    "Wanted",
    "Webhooks",
    "Worker",
    "Workers",
]
