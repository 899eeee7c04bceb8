"""What the web server does to a request's body."""

from __future__ import annotations

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

# Reading a body raises these where the client goes away in the middle, or sends chunks that are none.
BROKEN = (OSError, ClientDisconnected, ParseException)
