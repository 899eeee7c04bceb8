"""Bytes and VMAF of a chunked encode against one of the whole file, at the same settings.

    python -m tests.figures.quality [FILE] [--heights H,...] [--preset NAME] [--every N]

Every rung is scaled back to the source's size and compared with it; `--every` takes one frame of
N. The two differ a little in VMAF too, so bytes are compared at equal VMAF: what the whole encode
would need for the chunked one's, on the line through two whole encodes at neighbouring CRFs.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import ladder, plan
from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.settings import Settings
from tests import servers, sources
from tests.conftest import MEDIA


@dataclass(frozen=True)
class Quality:
    """What one encode of one rung came to."""

    size_bytes: int
    vmaf: float


def main() -> None:
    options = parse()
    settings = Settings(preset=options.preset, heights=options.heights)
    encoder, made = FfmpegEncoder(settings), plan_of(settings, options.file)
    print("| rung | chunks | MB whole | MB chunked | VMAF whole | VMAF chunked | bytes at equal VMAF |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with servers.folder() as home:
        for rung in made.rungs:
            alone = replace(made, rungs=(rung,), pieces=tuple(of_rung(made, rung.name)))
            whole_plan = replace(alone, pieces=(whole(alone),))
            other = replace(whole_plan, rungs=(replace(rung, crf=rung.crf + 2),))
            chunked, one, worse = (
                judge(encoder, options, each, home) for each in (alone, whole_plan, other)
            )
            more = math.log(chunked.size_bytes / needed(one, worse, chunked.vmaf))
            print(
                f"| {rung.name} | {len(alone.pieces)} | {one.size_bytes / 1e6:.3f} "
                f"| {chunked.size_bytes / 1e6:.3f} | {one.vmaf:.2f} | {chunked.vmaf:.2f} "
                f"| {100 * math.expm1(more):+.2f} % |",
                flush=True,
            )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path, default=MEDIA / "big-buck-bunny-1080p-30s.mp4")
    parser.add_argument("--heights", default=Settings.heights)
    parser.add_argument("--preset", default=Settings.preset)
    parser.add_argument("--every", type=int, default=3)
    return parser.parse_args()


def plan_of(settings: Settings, file: Path) -> Plan:
    found = FfmpegEncoder(settings).probe(str(file), file.stat().st_size)
    assert found.video
    rungs = ladder.choose(found.video, settings.sides, plan.choose_rate(found.video.rate), settings.crf)
    return plan.make(found, rungs, (), settings.preset, settings.chunk_s)


def of_rung(made: Plan, name: str) -> Iterator[Piece]:
    for piece in made.pieces:
        if piece.kind is Kind.VIDEO and name in piece.rungs:
            yield replace(piece, rungs=(name,))


def whole(made: Plan) -> Piece:
    return Piece("video-00000", Kind.VIDEO, 0, made.frames, (made.rungs[0].name,))


def judge(encoder: FfmpegEncoder, options: argparse.Namespace, made: Plan, home: Path) -> Quality:
    """Encode all pieces of a rung and join them, and measure the whole."""
    listed, size_bytes = home / "list.txt", 0
    with listed.open("w") as file:
        for piece in made.pieces:
            (encoded,) = encoder.encode(str(options.file), made, piece, lambda _: None)
            size_bytes += len(encoded.data)
            (home / f"{piece.name}.mp4").write_bytes(encoded.data)
            file.write(f"file {piece.name}.mp4\n")
    return Quality(size_bytes, vmaf(options, made, listed, home / "vmaf.json"))


def vmaf(options: argparse.Namespace, made: Plan, listed: Path, log: Path) -> float:
    """Give the mean over the frames, each beside the one of the source at the same place."""
    measured = f"libvmaf=n_threads=2:n_subsample={options.every}:log_fmt=json:log_path={log}"
    graph = (
        f"[0:v]setpts=N/{made.rate}/TB[made];[1:v]fps={made.rate},setpts=N/{made.rate}/TB,split[a][b];"
        f"[made][a]scale=rw:rh:flags=bicubic[scaled];[scaled][b]{measured}"
    )
    sources.run("-f", "concat", "-i", listed, "-i", options.file, "-lavfi", graph, "-f", "null", "-")
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def needed(one: Quality, worse: Quality, wanted: float) -> float:
    """Give the bytes of a whole encode of this VMAF; bytes grow exponentially with it."""
    slope = math.log(one.size_bytes / worse.size_bytes) / (one.vmaf - worse.vmaf)
    return one.size_bytes * math.exp(slope * (wanted - one.vmaf))


if __name__ == "__main__":
    main()
