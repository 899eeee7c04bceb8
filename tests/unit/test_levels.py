from fractions import Fraction

import pytest

from nextstream.domain import levels

SIZES = {
    (160, 120, 24): "1.1",
    (426, 240, 30): "2.1",
    (640, 360, 30): "3.0",
    (1280, 720, 30): "3.1",
    (1280, 720, 60): "3.2",
    (1920, 1080, 30): "4.0",
    (1920, 1080, 60): "4.2",
    (3840, 2160, 30): "5.1",
    (3840, 2160, 60): "5.2",
    (3840, 100, 25): "4.0",  # a side of 240 blocks
}


@pytest.mark.parametrize("size", list(SIZES), ids=str)
def test_the_level_is_the_lowest_that_holds_the_picture_at_its_rate(size: tuple[int, int, int]) -> None:
    width, height, rate = size
    assert levels.choose(width, height, Fraction(rate), 150_000, 225_000) == SIZES[size]


def test_a_higher_rate_of_bits_takes_a_higher_level() -> None:
    assert levels.choose(1280, 720, Fraction(30), 17_500_000, 17_500_000) == "3.1"
    assert levels.choose(1280, 720, Fraction(30), 17_600_000, 17_500_000) == "3.2"
    assert levels.choose(1280, 720, Fraction(30), 17_500_000, 17_600_000) == "3.2"


def test_beyond_the_highest_level_there_is_none() -> None:
    assert levels.choose(4096, 2304, Fraction(56), 1, 1) == "5.2"
    assert levels.choose(4096, 2304, Fraction(57), 1, 1) is None
    assert levels.choose(4112, 2304, Fraction(24), 1, 1) is None
    assert levels.choose(8704, 16, Fraction(24), 1, 1) is None
