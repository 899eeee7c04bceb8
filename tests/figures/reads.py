"""Bytes read from storage for each chunk over the chunk's own share of the source.

    python -m tests.figures.reads [FILE] [--loops N]

The source is the clip, repeated and put into each container without encoding it again; its index
is where ffmpeg writes it by itself, for MP4 also at the start. A proxy counts what the S3 server
sends; that is a little more than ffmpeg takes, which leaves in the middle of an answer.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.domain import ladder, plan
from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.settings import Settings
from tests import faults, servers, sources
from tests.conftest import MEDIA
from tests.faults import Proxy

CONTAINERS = {
    "MP4, index at the end": ("mp4", []),
    "MP4, index at the start": ("mp4", ["-movflags", "+faststart"]),
    "MKV": ("mkv", []),
    "MPEG-TS": ("ts", []),
}
SETTINGS = Settings(preset="ultrafast", heights="240", encoder_threads=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path, default=MEDIA / "big-buck-bunny-1080p-30s.mp4")
    parser.add_argument("--loops", type=int, default=6, help="times the clip is played")
    options = parser.parse_args()
    print("| source | MB | chunks | probe, MB | sound, of all | median of chunks | most | all chunks |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with (
        servers.folder() as home,
        servers.rclone_s3(home / "s3") as s3_url,
        faults.proxied(s3_url) as proxy,
    ):
        for name, (ending, how) in CONTAINERS.items():
            source = home / f"source.{ending}"
            loop = ["-stream_loop", options.loops - 1, "-i", options.file]
            sources.run(*map(str, loop), "-map", "0", "-c", "copy", *how, source)
            print(measure(proxy, name, source), flush=True)


def measure(proxy: Proxy, name: str, source: Path) -> str:
    """Probe and encode a source over the network, and give its row."""
    storage, size_bytes = S3Storage.from_url(proxy.url), source.stat().st_size
    with source.open("rb") as file:
        storage.write("source", iter(lambda: file.read(1024**2), b""), "video/mp4")
    url, encoder = storage.locate("source", 3600), FfmpegEncoder(SETTINGS)
    before = read_bytes(proxy)
    made = plan_of(encoder, url, size_bytes)
    probed = read_bytes(proxy) - before
    shares = list(chunks(proxy, encoder, url, made, size_bytes))
    before = read_bytes(proxy)
    for voice in made.voices:
        sound = b"".join(encoder.encode_audio(url, made, voice))
        assert sound
    heard = read_bytes(proxy) - before
    whole = sum(share * size for share, size in shares) / sum(size for _, size in shares)
    ratios = [share for share, _ in shares]
    return (
        f"| {name} | {size_bytes / 1e6:.1f} | {len(shares)} | {probed / 1e6:.1f} "
        f"| {heard / size_bytes:.2f} | {statistics.median(ratios):.2f} | {max(ratios):.2f} "
        f"| {whole:.2f} |"
    )


def plan_of(encoder: FfmpegEncoder, url: str, size_bytes: int) -> Plan:
    found = encoder.probe(url, size_bytes)
    assert found.video
    rungs = ladder.choose(found.video, SETTINGS.sides, plan.choose_rate(found.video.rate), SETTINGS.crf)
    return plan.make(found, rungs, ladder.voices(found.audio), SETTINGS.preset, SETTINGS.chunk_s)


def chunks(
    proxy: Proxy, encoder: FfmpegEncoder, url: str, made: Plan, size_bytes: int
) -> Iterator[tuple[float, float]]:
    """Encode each chunk; gives the bytes read over its share of the source, and that share."""
    for piece in (piece for piece in made.pieces if piece.kind is Kind.VIDEO):
        before = read_bytes(proxy)
        frames = count(encoder, url, made, piece)
        assert frames
        share = size_bytes * piece.frames / made.frames
        yield (read_bytes(proxy) - before) / share, share


def count(encoder: FfmpegEncoder, url: str, made: Plan, piece: Piece) -> int:
    return sum(len(each.data) for each in encoder.encode(url, made, piece, lambda _: None))


def read_bytes(proxy: Proxy) -> int:
    return sum(one.given_bytes for one in proxy.of("GET", "source"))


if __name__ == "__main__":
    main()
