"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import click

from nextstream.domain.video import Encryption, Priority, Visibility

F = TypeVar("F", bound=Callable[..., None])


def words(of: type[StrEnum]) -> click.Choice[str]:
    """Give the type of an option that is one of some words."""
    return click.Choice([each.value for each in of])


FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
WAIT = click.option("--wait", is_flag=True, help="Wait until it is ready, and show how it goes.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
VISIBILITY = click.option("--visibility", type=words(Visibility), help="Who may play it.")
PRIORITY = click.option("--priority", type=words(Priority), help="How soon its turn comes.")


def wishes(function: F) -> F:
    """Give a command the options for what is asked of a new video."""
    title = click.option("--title", help="Title; without one it is the file's name.")
    encryption = click.option("--encryption", type=words(Encryption), help="How segments are stored.")
    return title(VISIBILITY(PRIORITY(encryption(function))))
