"""Commands that send, list, follow, fetch and remove videos of a server, by the client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click
from rich.text import Text

from nextstream.cli.bars import encoding, moving
from nextstream.cli.login import connected
from nextstream.cli.options import FILE, JSON, PRIORITY, VISIBILITY, WAIT, wishes, words
from nextstream.cli.shell import command, err, main
from nextstream.domain.video import State, Visibility
from nextstream.ports import Order
from nextstream.remote_settings import Remote

if TYPE_CHECKING:
    from nextstream.client import Client, Video
    from nextstream.client.uploads import Wishes


@command(main)
@click.argument("files", nargs=-1, required=True, type=FILE)
@wishes
@WAIT
def upload(files: tuple[Path, ...], wait: bool, **asked: Unpack[Wishes]) -> None:  # noqa: FBT001  click's way to give a flag
    """Upload each FILE; after Ctrl-C, or a lost connection, the same command goes on."""
    with connected() as client, _batch(client.url, files) as sent:
        for file in files:
            key = str(file.resolve())
            video = _sent_before(client, sent.get(key))
            if video is None:
                with moving(file.name) as show:
                    video = client.uploads.send(file, show=show, **asked)
                sent[key] = video.id
            _tell(client, video, wait=wait)


@command(main)
@click.argument("url")
@wishes
@WAIT
def import_(url: str, wait: bool, **asked: Unpack[Wishes]) -> None:  # noqa: FBT001  click's way to give a flag
    """Have the server fetch a video from a URL."""
    with connected() as client:
        _tell(client, client.uploads.fetch(url, **asked), wait=wait)


@command(main)
@click.argument("video_id", metavar="VIDEO")
def watch(video_id: str) -> None:
    """Follow how a VIDEO is encoded, until it is ready."""
    with connected() as client:
        _follow(client, client.videos.get(video_id))


@command(main)
@click.option("--state", type=words(State), help="Only those in this state.")
@click.option("--visibility", type=words(Visibility), help="Only those.")
@click.option("--text", help="Only those with this in their title.")
@click.option("--order", type=words(Order), default=Order.NEWEST.value)
@click.option("--limit", type=int, default=50, show_default=True, help="How many at most.")
@JSON
def list_(
    state: str | None,
    visibility: str | None,
    text: str | None,
    order: str,
    limit: int,
    as_json: bool,  # noqa: FBT001  click's way to give a flag
) -> None:
    """List your videos, one a line: id, state, length, size and title."""
    with connected() as client:
        wanted = client.videos.list(state=state, visibility=visibility, text=text, order=order)
        for _, video in zip(range(limit), wanted, strict=False):
            click.echo(_json(video) if as_json else _line(video))


@command(main)
@click.argument("video_id", metavar="VIDEO")
@JSON
def show(video_id: str, as_json: bool) -> None:  # noqa: FBT001  click's way to give a flag
    """Describe a VIDEO."""
    with connected() as client:
        video = client.videos.get(video_id)
    click.echo(_json(video) if as_json else "\n".join(_lines(video)))


@command(main)
@click.argument("video_id", metavar="VIDEO")
@click.option("--title", help="Its title from now on.")
@VISIBILITY
@PRIORITY
def change(video_id: str, title: str | None, visibility: str | None, priority: str | None) -> None:
    """Change what is given of a VIDEO."""
    with connected() as client:
        asked = {"title": title, "visibility": visibility, "priority": priority}
        click.echo("\n".join(_lines(client.videos.change(video_id, **asked))))


@command(main)
@click.argument("video_ids", metavar="VIDEO...", nargs=-1, required=True)
def cancel(video_ids: tuple[str, ...]) -> None:
    """End the encode of each VIDEO, and remove what it stored; the source stays."""
    with connected() as client:
        for video_id in video_ids:
            click.echo(_line(client.videos.cancel(video_id)))


@command(main)
@click.argument("video_id", metavar="VIDEO")
@WAIT
def retry(video_id: str, wait: bool) -> None:  # noqa: FBT001  click's way to give a flag
    """Do again what failed of a VIDEO."""
    with connected() as client:
        _tell(client, client.videos.retry(video_id), wait=wait)


@command(main)
@click.argument("video_id", metavar="VIDEO")
@click.option("--rendition", help="Which one, as v720 or a0; else the largest picture.")
@click.option("--out", "path", type=click.Path(path_type=Path), help="File to write.")
def download(video_id: str, rendition: str | None, path: Path | None) -> None:
    """Save a VIDEO as one file."""
    from nextstream.client.downloads import choose

    with connected() as client:
        video = client.videos.get(video_id)
        form = choose(video, rendition).url.rpartition(".")[2]
        path = path or Path(f"{video.title.replace('/', '_')}.{form}")
        with moving(path.name) as show:
            client.downloads.save(video, path, rendition=rendition, show=show)
    click.echo(str(path))


@command(main)
@click.argument("video_ids", metavar="VIDEO...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete(video_ids: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001  click's way to give a flag
    """Remove each VIDEO with all its files."""
    with connected() as client:
        for video_id in video_ids:
            title = client.videos.get(video_id).title
            if yes or click.confirm(f"Remove {title!r} for good?", abort=True, err=True):
                client.videos.delete(video_id)


@contextmanager
def _batch(url: str, files: tuple[Path, ...]) -> Iterator[dict[str, str]]:
    """Give the ids of what an earlier run of the same command has sent; forgotten with its end."""
    from nextstream.client.unfinished import write_private

    said = repr((url, [(str(file.resolve()), file.stat().st_mtime_ns) for file in files]))
    name = f"{hashlib.sha256(said.encode()).hexdigest()}.json"
    note = Remote.read().state_dir / "batches" / name
    sent: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    try:
        yield sent
    except BaseException:
        if sent:
            write_private(note, json.dumps(sent))
        err.print("The same command goes on where this one ended.")
        raise
    note.unlink(missing_ok=True)


def _sent_before(client: Client, video_id: str | None) -> Video | None:
    """Give what an earlier run has sent, unless it was removed since, or nothing came of it."""
    from nextstream.client import Refused, values

    if video_id is None:
        return None
    try:
        video = client.videos.get(video_id)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
    return None if video.state in (values.State.FAILED, values.State.CANCELLED) else video


def _tell(client: Client, video: Video, *, wait: bool) -> None:
    """Print a video's id and page, and follow it where that is wanted."""
    click.echo(f"{video.id} {video.playback.page}")
    if wait:
        _follow(client, video)


def _follow(client: Client, video: Video) -> None:
    """Show an encode until it ends; raises the client's VideoEnded where it fails."""
    told = video.playable
    with encoding(before=str(video.state)) as draw:

        def look(seen: Video) -> None:
            nonlocal told
            draw(seen.progress)
            if seen.playable and not told:
                told = True
                err.print(Text(f"Playable: {seen.playback.hls}"))

        client.videos.wait(video.id, show=look)
    err.print(Text(f"Ready: {video.playback.hls}"))


def _line(video: Video) -> str:
    return f"{video.id}  {_stand(video):<14} {_length(video):>8} {_size(video):>9}  {video.title}"


def _lines(video: Video) -> Iterator[str]:
    yield f"{video.id}  {video.title}"
    yield f"state       {_stand(video)}, {video.visibility}"
    if video.failure:
        yield f"because     {video.failure.message}"
    yield f"file        {video.filename}, {_size(video)}, {_length(video)}"
    for each in video.renditions:
        size = f" {each.width}x{each.height}" if each.width else f" {each.language}"
        yield f"rendition   {each.name:<6} {each.kind:<5} {each.codec or ''}{size}"
    yield f"page        {video.playback.page}"
    yield f"hls         {video.playback.hls}"
    if video.playback.dash:
        yield f"dash        {video.playback.dash}"


def _stand(video: Video) -> str:
    percent = f" {video.progress.percent:.0f}%" if video.progress else ""
    return f"{video.state}{percent}"


def _length(video: Video) -> str:
    if video.source is None:
        return "-"
    minutes, seconds = divmod(round(video.source.duration_s), 60)
    return f"{minutes}:{seconds:02}"


def _size(video: Video) -> str:
    return "-" if video.size_bytes is None else f"{video.size_bytes / 1e6:.1f} MB"


def _json(video: Video) -> str:
    return json.dumps(asdict(video), default=str)
