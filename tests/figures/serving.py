"""Segments of a folder: requests and bytes a second of our gateway and of nginx, by wrk, in one run.

python -m tests.figures.serving [SECONDS]

The gateway runs as `nextstream up` runs it, with all services mounted; nginx serves the same files
with sendfile and as many processes. Both take turns at each size. A redirect's bytes come from where
it leads to, here nginx.
"""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from nextstream import wiring
from nextstream.domain import paths
from nextstream.domain.video import State, Video
from nextstream.settings import Settings
from tests import installation, servers

SIZES = {"4 KiB": 4 * 1024, "100 KiB of sound": 100 * 1024, "2 MiB of picture": 2 * 1024**2}
CONNECTIONS = 16
PLACE = "v1/v720"

NGINX = """
user {user}; daemon off; worker_processes {processes};
error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  types {{ video/iso.segment m4s; }}
  server {{
    listen 127.0.0.1:{port};
    location /v/ {{ alias {media}/videos/; add_header Access-Control-Allow-Origin *; }}
  }}
}}
"""


@dataclass(frozen=True)
class Speed:
    """What wrk measured; latencies as it writes them."""

    requests: float
    megabytes: float
    median: str
    p99: str


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| segment | server | requests/s | MB/s | p50 | p99 | of nginx's requests |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        through, redirecting = Path(folder, "through"), Path(folder, "redirecting")
        house = stack.enter_context(installation.running(through))
        nginx = stack.enter_context(run_nginx(Path(folder), through / "media"))
        servers_of = {"nginx": nginx, "gateway": house.url}
        video_id = store(through)
        for size in SIZES:
            show(size, {name: (url, video_id) for name, url in servers_of.items()}, seconds)
        env = {"NEXTSTREAM_DELIVERY": "cdn", "NEXTSTREAM_CDN_URL": nginx}
        other = stack.enter_context(installation.running(redirecting, env))
        ways = {"nginx": (nginx, video_id), "redirect": (other.url, store(redirecting))}
        show(next(iter(SIZES)), ways, seconds)


def show(size: str, ways: dict[str, tuple[str, str]], seconds: int) -> None:
    """Measure each way twice in turns, and print the better of both."""
    found: dict[str, Speed] = {}
    for _ in range(2):
        for name, (url, video_id) in ways.items():
            speed = load(f"{url}/v/{video_id}/{PLACE}/{SIZES[size]}.m4s", seconds)
            found[name] = max(found.get(name, speed), speed, key=lambda each: each.requests)
    for name, speed in found.items():
        share = speed.requests / found["nginx"].requests
        rates = f"{speed.requests:.0f} | {speed.megabytes:.0f} | {speed.median} | {speed.p99}"
        print(f"| {size} | {name} | {rates} | {share:.2f} |", flush=True)


def store(folder: Path) -> str:
    """Put files into the place of a video's segments, and give the video's id."""
    settings = Settings(data_dir=folder, redis_url=wiring.MEMORY, kafka_servers=wiring.MEMORY)
    platform, video_id = wiring.build(settings), paths.new_id()
    with platform.database.transaction() as tx:
        tx.videos.add(Video(video_id, "owner", "T", "t.mp4", platform.clock.now(), State.READY))
    platform.database.close()
    place = folder / "media" / "videos" / video_id / PLACE
    place.mkdir(parents=True)
    for size_bytes in SIZES.values():
        (place / f"{size_bytes}.m4s").write_bytes(b"\0" * size_bytes)
    return video_id


def load(url: str, seconds: int) -> Speed:
    """Ask for a file over and over, after a check that it is there."""
    requests.get(url, timeout=30, allow_redirects=False).raise_for_status()
    options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency"]
    said = subprocess.run(["wrk", *options, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx or 3xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    transfer, unit = re.findall(r"Transfer/sec:\s+([\d.]+)(\w+)", said)[0]
    factor = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}[unit] / 1e6
    latency = dict(re.findall(r"(50|99)%\s+(\S+)", said))
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    return Speed(rate, float(transfer) * factor, latency["50"], latency["99"])


@contextmanager
def run_nginx(folder: Path, media: Path) -> Iterator[str]:
    """Serve the same files by nginx."""
    port, config = servers.free_port(), folder / "nginx.conf"
    processes = Settings().web_workers
    user = getpass.getuser()  # the files are ours alone
    text = NGINX.format(processes=processes, folder=folder, media=media, port=port, user=user)
    config.write_text(text)
    process = subprocess.Popen(["nginx", "-c", str(config), "-e", str(folder / "error.log")])
    try:
        for _ in range(100):
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
