"""A worker is protected from being scaled in as long as it has work, and asks as seldom as it can."""

from __future__ import annotations

import pytest

from nextstream import wiring
from nextstream.adapters.protection_ecs import EcsProtection
from nextstream.adapters.protection_memory import MemoryProtection
from nextstream.errors import ScalingUnavailable
from nextstream.services.protection import AGAIN_S, HELD_MIN, RENEWED_S, Guard
from nextstream.settings import Settings
from tests import ecs_agent


def test_protection_begins_and_ends_with_work_and_each_is_asked_once() -> None:
    protection = MemoryProtection()
    guard = Guard(protection)
    for now_s, busy in enumerate((False, True, True, False, False)):
        guard.look(now_s, busy=busy)
    assert protection.calls == ["hold", "release"]


def test_protection_is_renewed_long_before_it_ends() -> None:
    protection = MemoryProtection()
    guard = Guard(protection)
    for now_s in range(0, int(2 * RENEWED_S) + 1, 2):
        guard.look(now_s, busy=True)
    assert protection.calls == ["hold"] * 3
    assert RENEWED_S <= HELD_MIN * 60 / 2


def test_the_agent_hears_what_is_asked() -> None:
    with ecs_agent.running() as agent:
        protection = EcsProtection(agent.uri)
        protection.hold(10)
        assert agent.asked == [{"ProtectionEnabled": True, "ExpiresInMinutes": 10}]
        protection.release()
        assert agent.asked[1:] == [{"ProtectionEnabled": False}]


@pytest.mark.parametrize("fault", ["refuses", "is_down"])
def test_a_refusal_is_an_error_of_ours(fault: str) -> None:
    with ecs_agent.running() as agent:
        setattr(agent, fault, True)
        with pytest.raises(ScalingUnavailable):
            EcsProtection(agent.uri).hold(10)


def test_an_agent_that_is_not_there_is_an_error_of_ours() -> None:
    with ecs_agent.running() as agent:
        gone = agent.uri
    with pytest.raises(ScalingUnavailable):
        EcsProtection(gone).hold(10)


def test_a_fault_is_tried_again_after_a_pause_and_disturbs_nobody() -> None:
    with ecs_agent.running() as agent:
        guard = Guard(EcsProtection(agent.uri))
        agent.refuses = True
        guard.look(0, busy=True)
        agent.refuses = False
        guard.look(AGAIN_S - 1, busy=True)
        assert not agent.asked
        guard.look(AGAIN_S, busy=True)
        assert agent.protected


def test_the_agent_is_found_where_ecs_says_it_is() -> None:
    assert Settings.read({"ECS_AGENT_URI": "http://169.254.170.2/api/x"}).ecs_agent_uri
    assert isinstance(wiring.protection(Settings(ecs_agent_uri="http://a")), EcsProtection)
    assert isinstance(wiring.protection(Settings()), MemoryProtection)
