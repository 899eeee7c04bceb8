from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nextstream.domain import lifecycle
from nextstream.domain.video import State, Video
from nextstream.errors import WrongState

NOW = datetime(2030, 1, 1, tzinfo=UTC)
VIDEO = Video("id", "owner", "Title", "file.mp4", NOW)


def test_every_state_is_in_the_table() -> None:
    assert set(lifecycle.MOVES) == set(State)


def test_what_has_ended_only_begins_again() -> None:
    begun = {State.UPLOADED, State.ENCODING}
    assert {state for state, moves in lifecycle.MOVES.items() if moves <= begun} == lifecycle.ENDED


def test_everything_unfinished_can_fail_or_be_cancelled() -> None:
    for state in set(State) - lifecycle.ENDED:
        assert lifecycle.MOVES[state] >= {State.FAILED, State.CANCELLED}


def test_a_move_notes_its_time_and_leaves_the_old_value_alone() -> None:
    moved = lifecycle.move(VIDEO, State.UPLOADING, NOW, title="New")
    assert (moved.state, moved.title, moved.state_times) == (
        State.UPLOADING,
        "New",
        {State.UPLOADING: NOW},
    )
    assert VIDEO.state is State.CREATED
    assert VIDEO.state_times == {}


@pytest.mark.parametrize("state", State)
def test_a_move_that_is_not_in_the_table_is_refused(state: State) -> None:
    video = replace(VIDEO, state=state)
    for other in set(State) - lifecycle.MOVES[state]:
        with pytest.raises(WrongState):
            lifecycle.move(video, other, NOW)
