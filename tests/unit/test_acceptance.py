"""Each limit on a source has its own error, and is passed only above it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from nextstream import errors
from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import acceptance

LIMITS = acceptance.Limits(
    size_bytes=1000, duration_s=20, pixels=1280 * 720, rate=24, gap_s=10, streams=2
)
JUST_RIGHT = replace(CLIP, size_bytes=1000, longest_gap_s=Fraction(10), streams=2)


def picture(**changes: Any) -> dict[str, Any]:
    assert CLIP.video
    return {"video": replace(CLIP.video, **changes)}


def test_a_source_at_all_limits_is_accepted() -> None:
    acceptance.check(JUST_RIGHT, LIMITS)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"size_bytes": 1001}, errors.UploadTooLarge),
        ({"streams": 3}, errors.SourceTooManyStreams),
        ({"duration_s": Fraction(21)}, errors.SourceTooLong),
        (picture(end_s=Fraction(21)), errors.SourceTooLong),
        ({"longest_gap_s": Fraction(11)}, errors.SourceHasGap),
        (picture(width=1281), errors.SourceTooLarge),
        (picture(rate=Fraction(25)), errors.SourceTooFast),
    ],
)
def test_a_source_over_one_limit_is_told_which(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        acceptance.check(replace(JUST_RIGHT, **changes), LIMITS)
