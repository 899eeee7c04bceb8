"""An upgrade under load: steps of the schema only add, so that the version before works on meanwhile."""

from __future__ import annotations

import io
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text

from nextstream.adapters.database.engine import open_engine
from nextstream.adapters.database.migrations import FOLDER, migrate
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import State
from nextstream.ports import Wanted
from nextstream.services import accounts, library, uploads
from tests.workers import House, open_house, wait_until

RELEASED = "0012"  # steps up to here came before the first release, so nothing ran beside them
READER_S = 8.0
LONGEST_S = 5.0

# What the version before would fail over, or what locks a table for as long as it is large.
FORBIDDEN = {
    r"\bDROP (TABLE|COLUMN|VIEW)": "drops what the version before reads",
    r"\bRENAME\b": "renames what the version before reads",
    r"ALTER COLUMN .* TYPE\b": "rewrites the table",
    r"SET NOT NULL": "fails for rows that the version before writes, and reads the whole table",
    r"ADD COLUMN (?!.*\bDEFAULT\b).*NOT NULL": "fails for rows that the version before writes",
    r"ADD CONSTRAINT (?!.*NOT VALID)": "reads the whole table under a lock",
    r"\b(UPDATE|DELETE FROM|INSERT INTO) (?!alembic_version)": "takes as long as the table is large",
}


def faults(sql: str) -> list[str]:
    """Give what keeps statements from being applied under load."""
    made = set(re.findall(r"CREATE TABLE (\w+)", sql))
    found = [
        f"{statement}: {why}"
        for statement in (" ".join(each.split()) for each in sql.split(";"))
        for pattern, why in FORBIDDEN.items()
        if re.search(pattern, statement, re.IGNORECASE)
    ]
    for statement, table in re.findall(r"(CREATE (?:UNIQUE )?INDEX \w+ ON (\w+))", sql):
        if table not in made:
            found.append(f"{statement}: locks the table for writing; build it CONCURRENTLY by hand")
    return found


def sql_of(step: Script) -> str:
    """Give what a step does to a PostgreSQL."""
    output = io.StringIO()
    options = {"as_sql": True, "output_buffer": output}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        step.module.upgrade()
    return output.getvalue()


def test_steps_since_the_first_release_only_add() -> None:
    steps = list(ScriptDirectory(str(FOLDER)).walk_revisions())
    found = {step.revision: faults(sql_of(step)) for step in steps if step.revision > RELEASED}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE videos DROP COLUMN title",
        "ALTER TABLE videos RENAME title TO name",
        "ALTER TABLE videos ADD COLUMN color TEXT NOT NULL",
        "ALTER TABLE videos ALTER COLUMN title TYPE INTEGER",
        "CREATE INDEX ix ON videos (title)",
        "UPDATE videos SET title = 'x'",
    ],
)
def test_what_does_not_only_add_is_found(statement: str) -> None:
    assert faults(f"BEGIN;\n{statement};\nCOMMIT;")


AHEAD = '''
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade():
    op.create_table("later", sa.Column("id", sa.Text(), primary_key=True))
    op.create_index("ix_later", "later", ["id"])
    for name in ("videos", "pieces", "uploads", "outbox", "accounts"):
        op.add_column(name, sa.Column("later", sa.Text()))
        op.add_column(name, sa.Column("always", sa.Integer(), nullable=False, server_default="0"))
    op.execute("""UPDATE videos SET options = '{{"later": 1}}'""")  # as a later version stores them
'''


@pytest.fixture
def ahead(tmp_path: Path) -> Path:
    """Give the steps of a version after this one."""
    return with_step(tmp_path, AHEAD)


def with_step(place: Path, step: str) -> Path:
    """Give a folder of this version's steps and one more."""
    folder = place / "migrations"
    shutil.copytree(FOLDER, folder)
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    (folder / "versions" / "9999_ahead.py").write_text(step.format(head=head))
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> House:
    chosen = {"FFMPEG": "standin://?duration_s=24&speed=24", "LEASE_S": "10"}
    if request.param == "postgres":
        chosen["DATABASE_URL"] = str(request.getfixturevalue("postgres_url"))
    return open_house(tmp_path, redis_url, **chosen)


@dataclass
class Users:
    """Uploads and looks at the library, one after the other, and how long each took."""

    house: House
    who: Account
    video_ids: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def go(self) -> None:
        platform = self.house.platform
        while not self.enough.wait(0.5):
            begun = time.monotonic()
            try:
                video = uploads.receive(platform, self.who, "a.mp4", None, [b"film"], None)
                library.page(platform, self.who, Wanted(), None, 20)
            except BaseException as error:  # noqa: BLE001  whatever a user would see fails the test
                self.errors.append(error)
                return
            self.video_ids.append(video.id)
            self.took_s.append(time.monotonic() - begun)


@contextmanager
def busy(house: House) -> Iterator[Users]:
    users = Users(house, accounts.add(house.platform, "ada", "correct horse battery", Role.UPLOADER))
    thread = threading.Thread(target=users.go)
    thread.start()
    try:
        yield users
    finally:
        users.enough.set()
        thread.join(60)


def test_the_version_before_works_on_while_and_after_a_step_is_taken(house: House, ahead: Path) -> None:
    with house.worker(), busy(house) as users:
        wait_until(lambda: len(users.video_ids) >= 2, 60)
        with reading(house, READER_S if "NEXTSTREAM_DATABASE_URL" in house.env else 0):
            migrate(house.platform.settings.database, ahead)
        count = len(users.video_ids)
        wait_until(lambda: len(users.video_ids) > count + 2 or bool(users.errors), 60)
        users.enough.set()
        assert users.errors == []
        assert max(users.took_s) < LONGEST_S
        ended = [house.wait_ended(video_id, 120) for video_id in users.video_ids]
    assert {video.state for video in ended} == {State.READY}
    assert not house.events(prefix="video.failed")
    assert column(house, "SELECT count(*) FROM videos WHERE always = 0") == len(users.video_ids)


SLOW = """
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade():
    op.execute("ALTER TABLE videos ADD COLUMN later TEXT")
    op.execute("SELECT pg_sleep(0.5)")
    op.execute("ALTER TABLE pieces ADD COLUMN later TEXT")
"""


def test_a_step_in_a_deadlock_with_a_request_lets_go_before_it(
    postgres_url: str, tmp_path: Path
) -> None:
    migrate(postgres_url)
    folder = with_step(tmp_path, SLOW)
    engine = open_engine(postgres_url)
    step = threading.Thread(target=migrate, args=(postgres_url, folder))
    with engine.connect() as request, engine.connect() as observer:
        observer.execution_options(isolation_level="AUTOCOMMIT")  # in a transaction it sees no news
        request.execute(text("SELECT count(*) FROM pieces"))
        step.start()
        wait_until(lambda: asleep(observer), 30)
        request.execute(text("SELECT count(*) FROM videos"))  # raises where PostgreSQL ends it
    step.join(30)
    with engine.connect() as later:
        later.execute(text("SELECT later FROM pieces"))
    engine.dispose()


def asleep(observer: Connection) -> bool:
    found = observer.execute(text("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    return found.first() is not None


@contextmanager
def reading(house: House, lasts_s: float) -> Iterator[None]:
    """Keep a transaction open that a step has to wait for, as a dump of the database does."""
    engine = open_engine(house.platform.settings.database)
    connection = engine.connect()
    if lasts_s:
        connection.execute(text("SELECT count(*) FROM videos"))
    timer = threading.Timer(lasts_s, connection.close)
    timer.start()
    yield
    timer.join()
    engine.dispose()


def column(house: House, query: str) -> int:
    engine = open_engine(house.platform.settings.database)
    with engine.connect() as connection:
        found = int(connection.execute(text(query)).scalar_one())
    engine.dispose()
    return found
