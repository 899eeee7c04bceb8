"""The servers and media that tests share; a test whose backend this machine lacks is skipped alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import conformity, kafka, npm, servers, sites
from tests.sites import Site

# A loaded machine may take long over one example; pytest's own timeout still ends what hangs.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

MEDIA = Path(os.environ.get("NEXTSTREAM_TEST_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


def do_without(missing: servers.Missing | str) -> NoReturn:
    """Skip a test that needs what this machine lacks; in CI, which lacks nothing, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing}; CI runs everything", pytrace=False)
    pytest.skip(str(missing))


def serve(server: AbstractContextManager[str]) -> Iterator[str]:
    """Give a server's address to a fixture."""
    try:
        address = server.__enter__()
    except servers.Missing as missing:
        do_without(missing)
    try:
        yield address
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    """Undo what a test that configures logs does to those that run after it in this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _conforming() -> Iterator[None]:
    """Hold what any test gets of an app to the API's description."""
    ask = FlaskClient.open

    def open_(client: FlaskClient, *args: Any, **options: Any) -> TestResponse:
        answer = ask(client, *args, **options)
        request = answer.request
        body = b"" if answer.mimetype == "text/event-stream" else answer.data
        conformity.check(request.method, request.path, answer.status_code, answer.headers, body)
        return answer

    FlaskClient.open = open_  # type: ignore[method-assign]  # for the whole session
    yield
    FlaskClient.open = ask  # type: ignore[method-assign]  # as it was


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    yield from serve(servers.redis())


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(servers.rclone_s3(tmp_path_factory.mktemp("s3")))


@pytest.fixture(scope="session")
def kafka_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a mock cluster of one broker, or of as many as the fixture's parameter says."""
    yield from serve(kafka.mock(getattr(request, "param", 1)))


@pytest.fixture(scope="session")
def real_kafka_servers() -> Iterator[str]:
    yield from serve(kafka.real())


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    yield from serve(servers.postgres())


@pytest.fixture
def postgres_url(_postgres_server: str) -> Iterator[str]:
    """Give a database of the test's own."""
    with servers.database(_postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def media() -> Path:
    """Give the folder of test media."""
    if not MEDIA.is_dir():
        do_without(f"there is no {MEDIA}; NEXTSTREAM_TEST_MEDIA may name another folder")
    return MEDIA


@pytest.fixture(scope="session")
def clip(media: Path) -> Path:
    """Give 30 s of Big Buck Bunny: 1080p, 24 fps, H.264, AAC 5.1."""
    path = media / "big-buck-bunny-1080p-30s.mp4"
    if not path.is_file():
        do_without(f"there is no {path}")
    return path


@pytest.fixture(scope="session", params=["mounted", "separate"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a gateway with its services mounted, and then with services that it proxies."""
    folder = tmp_path_factory.mktemp("site")
    with sites.run(folder, separate=request.param == "separate") as running:
        yield running


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Give the folder with the players and clients from npm."""
    try:
        return npm.modules()
    except servers.Missing as missing:
        do_without(missing)
