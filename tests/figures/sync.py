"""Sound against picture by flashes and beeps, in each source and in what it became.

    python -m tests.figures.sync [SECONDS]

The output is measured as browsers show it: by the tracks' own times and their edit lists' one offset.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import pipeline, sync

LATE_S = 60


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else LATE_S + 5.0
    print("| source | at, s | source's own, ms | output, ms | off by, ms |")
    print("| --- | --- | --- | --- | --- |")
    worst = 0.0
    for name, kind in sync.KINDS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            source = sync.make(folder / f"source.{kind.ending}", kind, seconds)
            own = sync.of_source(source, folder)
            platform, video = pipeline.transcode(source, folder / "media")
            got = sync.of_output(platform, video, folder)
        for at_s in (0, min(LATE_S, int(seconds) - 3)):
            before, after = own.offset_ms(at_s), got.offset_ms(at_s)
            off = after - before
            worst = max(worst, abs(off))
            print(f"| {name} | {at_s} | {before:.1f} | {after:.1f} | {off:+.1f} |", flush=True)
    print(f"| worst | | | | {worst:.1f} |")


if __name__ == "__main__":
    main()
