"""What must not be lost, done twice or left behind, whatever a fleet has been through."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil

from nextstream import wiring
from nextstream.domain import fmp4, paths
from nextstream.domain.plan import Kind, Plan
from nextstream.domain.video import State, Video
from nextstream.ports import OutboxEntry
from nextstream.services import transcoding
from nextstream.settings import Settings
from tests import kafka_topic, servers
from tests.workers import House

SETTLED_WITHIN_S = 30.0  # for what is sent or cleaned up a while later
_PICTURES = (paths.POSTER, paths.STORYBOARD, paths.STORYBOARD_JSON)
_NAMED = re.compile(r'URI="([^"]+)"|^([^#\s].*)$', re.MULTILINE)

Bytes = Mapping[tuple[str, int], str]  # SHA-256 of each segment by its rendition and number


@dataclass(frozen=True)
class Finding:
    """A rule, what was found, and whether it holds."""

    rule: str
    found: str
    holds: bool


def ended_ready(videos: Sequence[Video]) -> Finding:
    lost = [f"{v.id} {v.state} {v.failure.detail if v.failure else ''}" for v in videos if not _ready(v)]
    ready = len(videos) - len(lost)
    return Finding("every video is ready", f"{ready} of {len(videos)} {lost or ''}".strip(), not lost)


def frames_are_there(stored: Path, videos: Sequence[Video]) -> Finding:
    """Count the samples in the stored segments of each rung."""
    wrong, frames = [], 0
    for video in filter(_ready, videos):
        assert video.plan is not None
        for rung in video.plan.rungs:
            folder = stored / paths.tree(video.id, video.version) / rung.name
            body = (folder / paths.INIT).read_bytes()
            body += b"".join(path.read_bytes() for path in sorted(folder.glob("*.m4s")))
            count = len(fmp4.read(body).samples)
            frames += count
            if count != video.plan.frames:
                wrong.append(f"{video.id}/{rung.name}: {count} of {video.plan.frames}")
    return Finding("every frame of every rung is there", f"{frames} frames {wrong or ''}", not wrong)


def bytes_are_right(house: House, stored: Path, videos: Sequence[Video], source: Path) -> Finding:
    """Compare every segment with that of an encode to which nothing happened."""
    quiet = cache(lambda plan: expect(house, source, plan))
    wrong, count = [], 0
    for video in filter(_ready, videos):
        assert video.plan is not None
        expected = quiet(video.plan)
        found = dict(_hashes(stored / paths.tree(video.id, video.version)))
        count += len(found)
        names = expected.keys() | found.keys()
        wrong += [f"{video.id} {n}" for n in sorted(names) if found.get(n) != expected.get(n)]
    found_text = f"{count} segments, {len(wrong)} differ {wrong[:5] or ''}"
    return Finding("every segment is that of a quiet encode", found_text.strip(), not wrong)


def expect(house: House, source: Path, plan: Plan) -> Bytes:
    """Encode a source by a plan in this process, with the settings of a house."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.read(house.env), log_level="ERROR")
        video = Video(
            "quiet", "chaos", "Quiet", source.name, datetime.now(UTC), State.ENCODING, plan=plan
        )
        platform = wiring.workbench(settings, Path(folder), {paths.source("quiet"): source.resolve()})
        with platform.database.transaction() as tx:
            tx.videos.add(video)
            tx.pieces.add(video.id, video.version, plan.pieces)
        for piece in plan.pieces:
            transcoding.encode(platform, video.id, video.version, piece.name, "quiet")
        platform.database.close()
        return dict(_hashes(Path(folder, "media") / paths.tree(video.id, video.version)))


def _hashes(tree: Path) -> Iterator[tuple[tuple[str, int], str]]:
    for path in tree.glob("*/*.m4s"):
        yield (path.parent.name, int(path.stem)), hashlib.sha256(path.read_bytes()).hexdigest()


def events_arrived(house: House, videos: Sequence[Video]) -> Finding:
    """Compare what Kafka has of each video with the outbox: all of it, first arrivals in order."""
    _soon(lambda: all(entry.sent for entry in _outbox(house)))
    noted: dict[str, list[str]] = defaultdict(list)
    for entry in _outbox(house):
        noted[entry.event.key].append(entry.event.id)
    arrived: dict[str, list[str]] = defaultdict(list)
    messages = kafka_topic.read(
        house.env["NEXTSTREAM_KAFKA_SERVERS"], house.platform.settings.kafka_topic
    )
    for message in messages:
        body = json.loads(message.value() or b"")
        arrived[body["subject"]].append(body["id"])
    wrong = [v.id for v in videos if list(dict.fromkeys(arrived[v.id])) != noted[v.id]]
    unfinished = [v.id for v in videos if not _told_whole(house, v)]
    count, twice = sum(map(len, noted.values())), len(messages) - sum(map(len, noted.values()))
    found = f"{count} events, {twice} arrived twice {wrong or ''} {unfinished or ''}".strip()
    return Finding("every event reached Kafka, in order", found, not wrong and not unfinished)


def _told_whole(house: House, video: Video) -> bool:
    """Tell whether each step of a video, and its end, were noted, and noted once."""
    types = [e.event.type for e in _outbox(house) if e.event.key == video.id]
    pieces = [e.event.data["piece"] for e in _outbox(house) if _is_of(e, video, "piece.encoded")]
    planned = {piece.name for piece in video.plan.pieces} if video.plan else set()
    once = all(types.count(name) == 1 for name in ("video.probed", "video.ready"))
    return once and sorted(pieces) == sorted(planned)


def _is_of(entry: OutboxEntry, video: Video, type_: str) -> bool:
    return entry.event.key == video.id and entry.event.type == type_


def _outbox(house: House) -> list[OutboxEntry]:
    entries: list[OutboxEntry] = []
    with house.platform.database.transaction() as tx:
        while page := tx.outbox.page(entries[-1].place if entries else 0, 1000):
            entries += page
    return entries


def redone(house: House, videos: Sequence[Video], killed_slots: int) -> Finding:
    """Count the attempts on chunks and tracks after each one's first."""
    tasks = [task for video in videos for task in house.pieces(video.id)]
    again = sum(max(0, t.attempt - 1) for t in tasks if t.piece.kind in (Kind.VIDEO, Kind.AUDIO))
    found = f"{again} redone, {killed_slots} slots killed"
    return Finding("at most one piece is redone per killed slot", found, again <= killed_slots)


def no_orphans(stored: Path, videos: Sequence[Video]) -> Finding:
    """Follow the manifests from the masters down, and find what they don't lead to."""
    wanted = {stored / paths.source(video.id) for video in videos}
    for video in filter(_ready, videos):
        root, tree = (stored / f for f in (paths.root(video.id), paths.tree(video.id, video.version)))
        starts = [folder / name for folder in (root, tree) for name in (paths.MASTER, paths.MANIFEST)]
        starts += [folder / name for folder in (root, tree / paths.THUMBS) for name in _PICTURES]
        wanted |= {path for start in starts for path in _reached(start)}
    there = {path for path in stored.rglob("*") if path.is_file()}
    orphans, missing = sorted(there - wanted), sorted(wanted - there)
    names = [str(path.relative_to(stored)) for path in (*orphans[:5], *missing[:5])]
    found = f"{len(there)} objects, {len(orphans)} orphans, {len(missing)} missing {names or ''}"
    return Finding("every object is named by a manifest, and there", found, not orphans and not missing)


def _reached(playlist: Path) -> Iterator[Path]:
    """Give a playlist and all it names, and so on."""
    yield playlist
    if playlist.suffix in (".m3u8", ".vtt") and playlist.is_file():
        for in_quotes, alone in _NAMED.findall(playlist.read_text()):
            named = (in_quotes or alone).partition("#")[0]
            if "." in named and "-->" not in named:
                yield from _reached((playlist.parent / named).resolve())


def no_scratch(house: House) -> Finding:
    """Look into the folders for chunks in work and for temporary files, while workers idle."""
    home = Path(house.env["NEXTSTREAM_DATA_DIR"])

    def left() -> list[str]:
        # Of a killed worker, billiard leaves an empty folder in the temporary one.
        files = (path for path in (home / "tmp").rglob("*") if path.is_file())
        return [str(path.relative_to(home)) for path in (*(home / "scratch").iterdir(), *files)]

    _soon(lambda: not left())
    return Finding("no scratch file is left", f"{len(left())} {left()[:5] or ''}".strip(), not left())


def no_process(house: House) -> Finding:
    """Look for processes that have to do with a house's folder, after its fleet has stopped."""
    _soon(lambda: not list(_belonging(house.env["NEXTSTREAM_DATA_DIR"])))
    left = [" ".join(p.cmdline())[:100] for p in _belonging(house.env["NEXTSTREAM_DATA_DIR"])]
    return Finding("no process is left", f"{len(left)} {left or ''}".strip(), not left)


def _belonging(folder: str) -> Iterator[psutil.Process]:
    """Give processes that name a folder on their command line or in their environment."""
    ours = {server.process.pid for server in servers.RUNNING.values()} | {psutil.Process().pid}
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if process.pid not in ours and any(folder in word for word in words):
            yield process


def _soon(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while not done() and time.monotonic() < deadline:
        time.sleep(0.2)


def _ready(video: Video) -> bool:
    return video.state is State.READY
