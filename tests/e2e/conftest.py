"""One running installation with the clip in it, for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import installation
from tests.conftest import do_without
from tests.e2e import player
from tests.installation import Installation


@pytest.fixture(scope="session")
def chromium() -> None:
    if player.CHROMIUM.exists():
        return
    do_without(f"there is no {player.CHROMIUM}; install the package chromium")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation.running(tmp_path_factory.mktemp("house") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def video(house: Installation, clip: Path) -> dict[str, Any]:
    """Give the clip, uploaded and ready."""
    ended = house.wait_ended(house.upload(clip)["id"])
    assert ended["state"] == "ready", ended
    return ended
