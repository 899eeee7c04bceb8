"""Connections to addresses that users name; whoever is connected in the end is a public machine.

A name is resolved once, and only an address that came of it is connected to: so no form of an address,
no redirect and no second answer of the name server gets past it, and nobody can feel for what listens
on our machines. No proxy is used, since it would be the peer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

TRIED = 4  # addresses of a name, each for as long as a connection may take to open

Allows = Callable[[str], bool]  # of an address in its usual form


class Inside(HTTPError):
    """A name leads to an address that isn't allowed."""


class _Checked:
    """Beside one of urllib3's connections: it goes to addresses that are allowed alone."""

    allows: Allows

    def _new_conn(self) -> socket.socket:
        wanted: HTTPConnection = self  # type: ignore[assignment]  # it is one, by its other class
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
        numbers = list(dict.fromkeys(str(address[0]) for *_, address in found))
        if not all(map(self.allows, numbers)):
            raise Inside
        *first, last = numbers[:TRIED]
        for number in first:
            with suppress(OSError):
                return socket.create_connection((number, wanted.port), wanted.timeout)
        return socket.create_connection((last, wanted.port), wanted.timeout)


def connections(allows: Allows) -> tuple[type[HTTPConnection], type[HTTPSConnection]]:
    """Give the classes of plain and of secure connections that go to allowed addresses alone.

    They raise Inside for others, of which a name may have one beside good ones.
    """
    members = {"allows": staticmethod(allows)}
    plain = type("_Plain", (_Checked, HTTPConnection), members)
    return plain, type("_Secure", (_Checked, HTTPSConnection), members)
