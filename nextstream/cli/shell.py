"""What all commands share: where they print, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from nextstream.errors import NextStreamError

USER_ERROR = 2
INTERRUPTED = 130  # as a shell counts a program that SIGINT ended

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=None, version="0.1.0", prog_name="nextstream")
def main() -> None:
    """NextStream: a self-hosted video platform."""


def command(group: click.Group) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command; our own errors become one sentence on stderr, without a traceback."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except NextStreamError as error:
                err.print(Text(str(error), style="red"))
                sys.exit(USER_ERROR)
            except KeyboardInterrupt:
                err.print("Interrupted.")
                sys.exit(INTERRUPTED)

        return group.command(function.__name__.rstrip("_"))(run)

    return decorate
