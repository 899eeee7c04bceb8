"""Schemathesis over the whole API for a short while; tests/figures/contract.py does so for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nextstream.domain.accounts import Role
from nextstream.services import accounts
from tests import fuzzing, sites
from tests.sites import Site

PASSWORD = "not in any example 7"  # or it would be changed
SEED = 20260504


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site without quotas of requests, and threads for streams that are left open."""
    chosen = {"limit_api": "", "limit_uploads": "", "web_threads": "200", "imports": "1"}
    with sites.run(tmp_path_factory.mktemp("open-site"), separate=False, **chosen) as site:
        yield site


@pytest.mark.parametrize("role", [None, Role.OPERATOR])
def test_no_request_that_can_be_made_up_breaks_a_promise(
    open_site: Site, tmp_path: Path, role: Role | None
) -> None:
    login = {"name": "fuzz-operator", "password": PASSWORD}
    if role:
        accounts.add(open_site.platform, login["name"], PASSWORD, role)
    known = fuzzing.things(open_site.url, login, b"film") if role else {}
    found = fuzzing.run(
        open_site.url,
        tmp_path,
        login if role else None,
        known,
        max_time_s=15,
        seed=SEED,
        options=("--phases", "examples,coverage"),
    )
    assert not found.failures, found.output
    assert found.requests > 100
