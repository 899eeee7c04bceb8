"""Draws what autoscaling.py played, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.scaling_simulation import Moment, Simulation

WIDTH, HEIGHT, LEFT, GAP = 900, 170, 60, 50
HOURS = 24
EVERY_S = 60  # a point a minute says as much as four
BLUE, GREY, ORANGE = "#2563a8", "#9aa3ad", "#d97706"


def draw(scaled: Simulation, fixed: Simulation) -> str:
    """Draw two panels over the day: the workers, and the work that waits."""
    most = max(moment.workers for moment in scaled.moments)
    longest = max(moment.waiting_s for sim in (scaled, fixed) for moment in sim.moments) / 3600
    panels = [
        _panel(
            0,
            "workers",
            most,
            [(fixed, _workers, GREY, "eight workers"), (scaled, _workers, BLUE, "policy")],
        ),
        _panel(
            1,
            "work that waits, in worker hours",
            longest,
            [(fixed, _waiting, GREY, "eight workers"), (scaled, _waiting, ORANGE, "policy")],
        ),
    ]
    size = f'width="{WIDTH}" height="{2 * (HEIGHT + GAP) + 10}"'
    style = 'font-family="sans-serif" font-size="12" fill="#333"'
    body = "\n".join(panels)
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{paper}\n{body}\n</svg>\n'


def _workers(moment: Moment) -> float:
    return moment.workers


def _waiting(moment: Moment) -> float:
    return moment.waiting_s / 3600


def _panel(number: int, title: str, most: float, lines: Sequence[tuple]) -> str:
    top = 25 + number * (HEIGHT + GAP)
    bottom = top + HEIGHT
    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>']
    for hour in range(0, HOURS + 1, 2):
        x = _x(hour * 3600)
        parts.append(f'<path d="M{x:.0f} {top}V{bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.0f}" y="{bottom + 15}" text-anchor="middle">{hour}h</text>')
    for share in (0, 0.5, 1):
        y = bottom - share * HEIGHT
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - 10}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{share * most:.3g}</text>')
    for n, (simulation, value, colour, name) in enumerate(lines):
        points = _points(simulation.moments, value, bottom, most)
        parts.append(f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        place = f'x="{WIDTH - 10 - 90 * n}" y="{top - 8}" text-anchor="end"'
        parts.append(f'<text {place} fill="{colour}">{name}</text>')
    return "\n".join(parts)


def _points(moments: Iterable[Moment], value, bottom: float, most: float) -> str:
    """Give a path of steps; what stays the same is left out."""
    words, last = [], None
    for moment in moments:
        if moment.at_s % EVERY_S or moment.at_s > HOURS * 3600:
            continue
        y = round(bottom - HEIGHT * value(moment) / most, 1)
        if y != last:
            words.append(f"{'H' if words else 'M'}{_x(moment.at_s):.1f}{f'V{y}' if words else f' {y}'}")
            last = y
    return f"{''.join(words)}H{_x(HOURS * 3600):.1f}"


def _x(at_s: float) -> float:
    return LEFT + (WIDTH - 10 - LEFT) * at_s / (HOURS * 3600)
