"""Uppy in a real browser, on a page of another site, over connections that break off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sites, tus_clients
from tests.sites import Site

pytestmark = [pytest.mark.xdist_group("uppy"), pytest.mark.usefixtures("chromium")]

MIB = 1024**2


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site that pages of any other may use."""
    with sites.run(tmp_path_factory.mktemp("open"), separate=True, cors_origins="*") as site:
        yield site


def test_uppy_goes_on_where_it_was(open_site: Site, node_modules: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(os.urandom(20 * MIB + 7))
    script = tus_clients.bundle(node_modules, tmp_path)
    with tus_clients.cutting(open_site.address, [4 * MIB, 12 * MIB]) as way:
        options = {
            "endpoint": f"{way.url}/api/v1/uploads/tus",
            "headers": {"Authorization": open_site.user().token},
        }
        # The page comes from the server itself, by another port: another origin to a browser.
        url = tus_clients.uppy(script, f"{open_site.url}/healthz", "Tus", film, **options)
    assert way.cut == 2
    video_id = url.rpartition("/")[2]
    assert open_site.platform.storage.read(f"videos/{video_id}/source") == film.read_bytes()
