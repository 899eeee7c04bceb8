"""Whatever step a server dies at, an upload goes on whole, and never behind what its client was told."""

from __future__ import annotations

import itertools
import os
import random
import uuid
from pathlib import Path

import pytest

from nextstream.adapters.database import SqlDatabase
from nextstream.adapters.database.migrations import migrate
from nextstream.adapters.database_memory import MemoryDatabase
from nextstream.adapters.storage_local import LocalStorage
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.ports import Database, Storage
from tests.crashes import Client, Fuse, World, faults

PART_BYTES = 64 * 1024  # the S3 server of tests takes parts that are smaller than S3's least


@pytest.fixture(params=["memory", "local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "local":
        local = LocalStorage.from_url(tmp_path.as_uri())
        local.multipart.sync_every_s = 0  # so that each part is a step
        return local
    url: str = request.getfixturevalue("s3_url")
    return S3Storage.from_url(url.replace("?", f"/{uuid.uuid4().hex}?"))


@pytest.fixture
def database(storage: Storage, tmp_path: Path) -> Database:
    if not isinstance(storage, LocalStorage):
        return MemoryDatabase()
    migrate(f"sqlite:///{tmp_path}/test.db")
    return SqlDatabase(f"sqlite:///{tmp_path}/test.db")


def test_a_crash_at_each_step_loses_nothing(storage: Storage, database: Database) -> None:
    world = World(storage, database)
    body = os.urandom(2 * PART_BYTES + 1000)
    for blow_at in itertools.count(1):
        client = Client(world, body, PART_BYTES, random.Random(blow_at))
        first = Fuse(blow_at)
        upload = client.upload(itertools.chain([first], iter(Fuse, None)))
        assert faults(world, upload, body) == [], f"a crash at step {blow_at}"
        if first.steps < blow_at:  # it came through
            break
    assert world.crashes >= 20
    assert world.backwards == 0


def test_many_crashes_in_one_upload_lose_nothing(storage: Storage, database: Database) -> None:
    world, dice = World(storage, database), random.Random(7)
    for _ in range(20):
        body = os.urandom(dice.randrange(1, 3 * PART_BYTES))
        fuses = itertools.chain((Fuse(dice.randrange(1, 30)) for _ in range(8)), iter(Fuse, None))
        upload = Client(world, body, PART_BYTES, dice).upload(fuses)
        assert faults(world, upload, body) == []
    assert world.crashes
    assert world.cuts
    assert world.backwards == 0
