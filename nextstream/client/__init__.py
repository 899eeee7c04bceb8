"""A typed client of NextStream's API: `Client(url, api_key).uploads.send("film.mp4")`.

It stands alone: nothing here imports another part of NextStream. docs/api.md walks through it.
"""

from nextstream.client.account_values import Role, Scope
from nextstream.client.client import Client, log_in
from nextstream.client.errors import (
    ClientError,
    FileChanged,
    NotAnswered,
    NotYet,
    Refused,
    Unreachable,
    VideoEnded,
)
from nextstream.client.login import Memory, Shelf, Tokens
from nextstream.client.values import Order, Priority, State, Video, Visibility

__all__ = [
    "Client",
    "ClientError",
    "FileChanged",
    "Memory",
    "NotAnswered",
    "NotYet",
    "Order",
    "Priority",
    "Refused",
    "Role",
    "Scope",
    "Shelf",
    "State",
    "Tokens",
    "Unreachable",
    "Video",
    "VideoEnded",
    "Visibility",
    "log_in",
]
