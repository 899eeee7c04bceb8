"""Schemathesis over the whole API of an installation, with all its checks, as each role and as nobody.

    python -m tests.figures.contract [--minutes N] [--seed N] [--roles anonymous,viewer,...]

Each role gets so many minutes. What fails is told in full behind the table.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import requests

from nextstream.domain.accounts import Role
from tests import fuzzing, installation, sources
from tests.fuzzing import Result
from tests.installation import Installation

ANONYMOUS = "anonymous"
ROLES = (ANONYMOUS, *Role)  # operators last: they disable the accounts of others
PASSWORD = "not in any example 7"
ENV = {
    # One client sends everything, as fast as it can.
    "NEXTSTREAM_LIMIT_API": "",
    "NEXTSTREAM_LIMIT_LOGIN": "",
    "NEXTSTREAM_LIMIT_REGISTER": "",
    "NEXTSTREAM_LIMIT_UPLOADS": "",
    "NEXTSTREAM_LOGIN_ADDRESS_TRIES": "1000000",
    "NEXTSTREAM_LOGIN_TRIES": "1000000",  # wrong passwords at /auth/password count, too
    "NEXTSTREAM_HEIGHTS": "240",
    "NEXTSTREAM_IMPORTS": "1",
    "NEXTSTREAM_PRESET": "ultrafast",
    # A stream is only known to be left after a second, and they are left by the dozen.
    "NEXTSTREAM_WEB_THREADS": "800",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20, help="for each role")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--roles", default=",".join(ROLES))
    chosen = parser.parse_args()
    found: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder, installation.running(Path(folder), ENV) as house:
        film = sources.steady(Path(folder, "film.mp4"), seconds=6).read_bytes()
        for role in (each for each in ROLES if each in chosen.roles.split(",")):
            login = None if role == ANONYMOUS else join(house, Role(role))
            known = things(house, login, film)
            work = Path(folder, f"as-{role}")
            seconds = round(chosen.minutes * 60)
            found[role] = fuzzing.run(
                house.url, work, login, known, max_time_s=seconds, seed=chosen.seed
            )
            print(f"{role}: {found[role].requests} requests", flush=True)
    tell(found)


def join(house: Installation, role: Role) -> dict[str, str]:
    """Register an account and give it a role; gives its name and password."""
    api, login = f"{house.url}/api/v1", {"name": f"the-{role}", "password": PASSWORD}
    made = requests.post(f"{api}/auth/register", json=login, timeout=60).json()
    account = f"{api}/accounts/{made['id']}"
    answer = requests.patch(account, json={"role": role}, headers=house.headers(), timeout=60)
    answer.raise_for_status()
    return login


def things(house: Installation, login: dict[str, str] | None, film: bytes) -> dict[str, str]:
    """Give what there is: of one's own for who may upload, else an operator's."""
    operator = {"name": house.operator, "password": house.password}
    owner = login if login and not login["name"].endswith(Role.VIEWER) else operator
    known = fuzzing.things(house.url, owner, film)
    video = house.wait_ended(known["video_id"])
    assert video["state"] == "ready", video
    return {**known, "name": video["renditions"][0]["name"]}


def tell(found: Mapping[str, Result]) -> None:
    titles = sorted({each.title for one in found.values() for each in one.failures})
    print("\n| role | operations | requests | 5xx | violations of the description | failures by check |")
    print("| --- | --- | --- | --- | --- | --- |")
    for role, one in found.items():
        counts = {each.title: each.count for each in one.failures}
        by_check = ", ".join(f"{title}: {counts[title]}" for title in titles if title in counts)
        print(
            f"| {role} | {one.operations} | {one.requests} | {one.server_errors} "
            f"| {one.violations} | {by_check or 'none'} |"
        )
    for role, one in found.items():
        if one.failures:
            print(f"\n{role}:\n{one.output}")


if __name__ == "__main__":
    main()
