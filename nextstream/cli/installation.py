"""Commands that set up and run an installation; each reads the settings and calls one thing."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from nextstream import logs
from nextstream.cli.bars import encoding
from nextstream.cli.shell import command, main, out
from nextstream.domain.accounts import Role
from nextstream.settings import Settings
from nextstream.settings_page import describe

if TYPE_CHECKING:
    from nextstream.doctor import Finding
    from nextstream.ports import Platform
    from nextstream.up import Ready

COLOURS = {
    "redis": "red",
    "gateway": "green",
    "media": "magenta",
    "upkeep": "cyan",
    "beat": "blue",
    "flower": "yellow",
}


def _settings(process: str, least: str = "WARNING") -> Settings:
    """Read the settings, and log on stderr what a user of this command should see."""
    settings = Settings.read()
    logs.configure(replace(settings, log_level=least), process)
    return settings


@command(main)
def up() -> None:
    """Start everything on this machine, and stop it all with Ctrl-C."""
    from nextstream import up

    up.run(_settings("up"), _print_line, _announce)


def _print_line(name: str, line: str) -> None:
    if line.strip():
        prefix = Text(f"{name:>8} | ", style=COLOURS.get(name, ""))
        out.print(prefix + Text.from_ansi(line))


def _announce(ready: Ready) -> None:
    out.rule()
    out.print(f"NextStream is ready after {ready.took_s:.1f} s: [bold]{ready.url}[/bold]")
    if ready.password:
        out.print(
            f"Log in as [bold]{ready.operator}[/bold] with the password [bold]{ready.password}[/bold]"
        )
        out.print("The password is shown this once; keep it.")
    out.print("Stop with Ctrl-C; the next start goes on where this one ends.")
    out.rule()


@command(main)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", "folder", type=click.Path(path_type=Path), help="Folder for the result.")
def transcode(file: Path, folder: Path | None) -> None:
    """Turn a video FILE into an HLS and DASH folder."""
    from nextstream import workbench

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it cleans up as Ctrl-C does
    folder = folder or Path(f"{file.stem}-hls")
    with encoding() as show:
        master = workbench.transcode(_settings("transcode", least="ERROR"), file, folder, show)
    out.print(str(master))


@command(main)
def doctor() -> None:
    """Check what NextStream needs, and say what to do where it is missing."""
    from nextstream import doctor

    faults = 0
    for finding in doctor.examine(_settings("doctor")):
        mark, style = _mark(finding)
        out.print(Text(f"{mark:<5}", style=style) + Text(f"{finding.name:<12} {finding.says}"))
        faults += mark == "FAIL"
    sys.exit(1 if faults else 0)


def _mark(finding: Finding) -> tuple[str, str]:
    if finding.ok:
        return "ok", "green"
    return ("FAIL", "red") if finding.blocks else ("warn", "yellow")


@main.group()
def user() -> None:
    """Manage accounts."""


@contextmanager
def _accounts() -> Iterator[Platform]:
    """Give a platform, for one change."""
    from nextstream import wiring

    platform = wiring.build(_settings("user"))
    try:
        yield platform
    finally:
        platform.database.close()


@command(user)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.UPLOADER.value)
def add(name: str, role: str) -> None:
    """Add an account; the password is asked for, or read from a pipe."""
    from nextstream.services import accounts

    password = _read_password()
    with _accounts() as platform:
        account = accounts.add(platform, name, password, Role(role))
    out.print(f"{account.name} is there, as {account.role}.")


@command(user)
def list_() -> None:
    """List all accounts, one a line: name, role, when it was made, and whether it is disabled."""
    from nextstream.services import accounts

    with _accounts() as platform:
        for account in accounts.everyone(platform):
            disabled = "disabled" if account.disabled_at else ""
            line = f"{account.name:<32} {account.role:<9} {account.created_at:%Y-%m-%d} {disabled}"
            click.echo(line.rstrip())


@command(user)
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
def role(name: str, role: str) -> None:
    """Give an account another role; what it may no longer do ends at once."""
    from nextstream.services import accounts

    with _accounts() as platform:
        account = accounts.amend(platform, name, Role(role))
    out.print(f"{account.name} is now {account.role}.")


@command(user)
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the account in again.")
def disable(name: str, undo: bool) -> None:  # noqa: FBT001  click's way to give a flag
    """Keep an account out, and end its sessions and API keys at once; its videos stay."""
    from nextstream.services import accounts

    with _accounts() as platform:
        account = accounts.amend(platform, name, disabled=not undo)
    out.print(f"{account.name} is {'disabled' if account.disabled_at else 'enabled'}.")


@command(user)
@click.argument("name")
def password(name: str) -> None:
    """Give an account a new password, asked for or from a pipe; all its sessions end."""
    from nextstream.services import accounts

    new = _read_password()
    with _accounts() as platform:
        ended = accounts.reset_password(platform, name, new)
    out.print(f"{name} has a new password; {ended} sessions ended.")


def _read_password() -> str:
    piped = not sys.stdin.isatty()
    return sys.stdin.readline().rstrip("\n") if piped else _ask_password()


def _ask_password() -> str:
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@main.group()
def keys() -> None:
    """Manage the keys that sign access tokens."""


@command(keys)
@click.option("--at-once", is_flag=True, help="A key was stolen: end all access tokens now.")
def rotate(at_once: bool) -> None:  # noqa: FBT001  click's way to give a flag
    """Publish a new signing key; it signs when all services know it, and nobody notices."""
    from nextstream.services import signing

    with _accounts() as platform:
        key = signing.rotate(platform, at_once=at_once)
    out.print(f"Key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC on.")


@command(main)
def settings() -> None:
    """Print docs/settings.md."""
    click.echo(describe(), nl=False)


@command(main)
@click.argument("folder", type=click.Path(path_type=Path))
def schemas(folder: Path) -> None:
    """Write the schemas of all events, and their AsyncAPI document, into a FOLDER."""
    from nextstream import event_schemas

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in event_schemas.files().items():
        (folder / name).write_text(text)


@command(main)
@click.argument("folder", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Copy everything in the data folder into FOLDER, which a later backup brings up to date."""
    from nextstream import backup

    done = backup.copy(_settings("backup"), folder)
    out.print(f"{done.files} files copied, {done.kept} were there already: {folder}")


@command(main)
def migrate() -> None:
    """Bring the database to this version's tables."""
    from nextstream import wiring

    wiring.migrate(_settings("migrate"))
    out.print("The database is up to date.")
