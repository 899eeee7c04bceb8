"""The clients that people have, unmodified, against the gateway, over connections that break off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import tus_clients
from tests.sites import Site

MIB = 1024**2
PATH = "/api/v1/uploads/tus"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    path.write_bytes(os.urandom(20 * MIB + 7))
    return path


def check(site: Site, url: str, film: Path) -> None:
    video_id = url.rpartition("/")[2]
    assert site.platform.storage.read(f"videos/{video_id}/source") == film.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 6 * MIB},
        {"uploadDataDuringCreation": True},
        {"parallelUploads": 3},
        {"overridePatchMethod": True},
    ],
    ids=["plain", "chunks", "with creation", "parallel", "override"],
)
def test_tus_js_client(site: Site, film: Path, node_modules: Path, options: dict[str, object]) -> None:
    user = site.user()
    headers = {"Authorization": user.token}
    with tus_clients.cutting(site.address, [3 * MIB, 11 * MIB, 19 * MIB]) as way:
        url = tus_clients.tus_js(node_modules, way.url + PATH, film, headers, **options)
    assert way.cut == 3
    check(site, url, film)


@pytest.mark.parametrize("checksums", [False, True])
def test_tuspy(site: Site, film: Path, checksums: bool) -> None:
    headers = {"Authorization": site.user().token}
    with tus_clients.cutting(site.address, [9 * MIB]) as way:
        options = {"chunk_size": 6 * MIB, "upload_checksum": checksums}
        url = tus_clients.tuspy(way.url + PATH, film, headers, **options)
    assert way.cut == 1
    check(site, url, film)
