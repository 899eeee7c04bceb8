"""What the services need of the world, as small protocols; adapters/ has the ways to get it.

Every adapter raises only errors of nextstream.errors. Each port has an in-memory twin.
"""

from nextstream.ports.accounts import Accounts, Passwords
from nextstream.ports.database import Database, Transaction
from nextstream.ports.dispatch import Dispatcher
from nextstream.ports.encoder import EncodedPiece, Encoder, Report
from nextstream.ports.events import EventSink, Outbox, OutboxEntry
from nextstream.ports.outside import Outside
from nextstream.ports.pieces import Pieces, Standing, Task
from nextstream.ports.platform import Clock, Platform
from nextstream.ports.storage import Storage, StoredObject
from nextstream.ports.videos import Access, Order, Videos, Wanted
from nextstream.ports.webhooks import Webhooks

__all__ = [
    "Access",
    "Accounts",
    "Clock",
    "Database",
    "Dispatcher",
    "EncodedPiece",
    "Encoder",
    "EventSink",
    "Order",
    "Outbox",
    "OutboxEntry",
    "Outside",
    "Passwords",
    "Pieces",
    "Platform",
    "Report",
    "Standing",
    "Storage",
    "StoredObject",
    "Task",
    "Transaction",
    "Videos",
    "Wanted",
    "Webhooks",
]
