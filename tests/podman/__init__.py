"""Podman in Docker's place: our images really built, and those of others made of what they hold."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import golang, kafka, servers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = servers.CACHE / "podman"  # images are kept there, and nothing of a run
S3_SERVER = ("github.com/versity/versitygw", "v1.8.0")
# Those that docker-compose.yml and deploy/ name, by the stage of standins.Dockerfile that stands in.
STANDINS = {
    "python": "python:3.11.14-slim-bookworm",
    "redis": "redis:7.2.11-bookworm",
    "postgres": "postgres:15.14-bookworm",
    "kafka": "apache/kafka:3.9.1",
    "s3": f"versity/versitygw:{S3_SERVER[1]}",
}
DEBIAN = "debian:bookworm-slim"
OURS = {"nextstream-web": "deploy/web.Dockerfile", "nextstream-worker": "deploy/worker.Dockerfile"}
LONGEST_S = 900


def need() -> None:
    """Raise Missing where this machine can't run containers."""
    if os.getuid():
        raise servers.Missing("only root can run containers here")
    for program in ("podman", "runc", "mmdebstrap", "catatonit", "go", "java", "mvn"):
        servers.find(program)


def run(*words: str | Path, wait_s: float = LONGEST_S, env: Mapping[str, str] | None = None) -> str:
    """Run podman and give what it prints; what it says on stderr is in the error."""
    return call("podman", *words, wait_s=wait_s, env=env)


def call(*words: str | Path, wait_s: float = LONGEST_S, env: Mapping[str, str] | None = None) -> str:
    """Run a program that uses podman; raises AssertionError with its last words where it fails."""
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **_environment(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=wait_s,
        check=False,
    )
    assert not done.returncode, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Give what makes podman run here, away from all other containers of this machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "tmp").mkdir(exist_ok=True)
    storage = CACHE / "storage.conf"
    places = f'graphroot = "{CACHE}/images"\nrunroot = "/run/nextstream-tests"\n'
    text = f'[storage]\ndriver = "overlay"\n{places}'
    if not storage.exists() or storage.read_text() != text:
        storage.write_text(text)
    return {
        "PATH": os.pathsep.join([str(HERE), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CONTAINERS_CONF": str(HERE / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "TMPDIR": str(CACHE / "tmp"),
        "BUILDAH_FORMAT": "docker",  # OCI's has no HEALTHCHECK
        "BUILDAH_ISOLATION": "chroot",
        "DISABLE_HC_SYSTEMD": "true",
    }


def build_all() -> None:
    """Build the stand-ins, where they aren't there, and then the project's images."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may want the same
        with ThreadPoolExecutor() as pool:
            parts = {"jars": pool.submit(kafka.jars_of), "versitygw": pool.submit(_s3_server)}
            _bootstrap()
            _standin("python", {})
            ours = pool.submit(_build_ours)
            for stage in STANDINS:
                _standin(stage, {name: part.result() for name, part in parts.items()})
            ours.result()


def _bootstrap() -> None:
    """Make Debian's smallest image: without what its slim one is without."""
    if not has(DEBIAN):
        docs = [
            f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")
        ]
        tar = CACHE / "tmp" / "debian.tar"
        try:
            call("mmdebstrap", "--quiet", "--variant=minbase", *docs, "bookworm", tar)
            run("import", "--quiet", tar, f"docker.io/library/{DEBIAN}")
        finally:
            tar.unlink(missing_ok=True)


def has(image: str) -> bool:
    """Tell whether an image is there."""
    return bool(run("images", "--quiet", "--filter", f"reference={image}"))


def _standin(stage: str, parts: Mapping[str, Path]) -> None:
    contexts = [f"--build-context={name}={path}" for name, path in parts.items()]
    _build(STANDINS[stage], HERE / "standins.Dockerfile", HERE, f"--target={stage}", *contexts)


def _build_ours() -> None:
    # pip reaches its registry as it does on this machine.
    paths = ("/etc/ssl/certs", "/etc/pip.conf")
    mounts = [f"--volume={path}:{path}:ro" for path in paths if Path(path).exists()]
    for image, file in OURS.items():
        _build(image, ROOT / file, ROOT, *mounts)


def _build(image: str, file: Path, context: Path, *options: str) -> None:
    how = ("--quiet", "--layers", "--pull=never", "--network=host", "--ulimit=nofile=1024:1024")
    run("build", *how, *options, f"--tag={image}", f"--file={file}", context)


def _s3_server() -> Path:
    """Give a folder with the S3 server and its image's start script."""
    module, version = S3_SERVER
    compiled = golang.program(module, version, "cmd/versitygw")
    folder = CACHE / f"versitygw-{version}"
    if not folder.is_dir():
        new = folder.with_suffix(".new")
        new.mkdir(exist_ok=True)
        shutil.copy(compiled, new)
        shutil.copy(golang.source(module, version) / "docker-entrypoint.sh", new)
        new.rename(folder)
    return folder
