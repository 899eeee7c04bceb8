"""The command line: `python -m nextstream`; its commands stand in the modules imported here."""

from nextstream.cli import installation, login, videos
from nextstream.cli.shell import INTERRUPTED, USER_ERROR, main

__all__ = ["INTERRUPTED", "USER_ERROR", "installation", "login", "main", "videos"]
