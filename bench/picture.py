"""Samples of a long run to curves, and curves to an SVG: panels below each other over one axis of finished items.

Knows nothing of processes or servers.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

Points = list[tuple[float, float]]

_WIDTH, _HEIGHT, _LEFT, _GAP = 760, 170, 60, 60
_COLOURS = {"api": "#64748b", "converter": "#c2410c", "postgresql": "#15803d", "serve": "#b91c1c", "worker": "#7c3aed"}


@dataclass(frozen=True, slots=True)
class Sample:
    """`finished` items after `seconds`; `cpu`: seconds so far, and `memory`: MiB now, by kind of process."""

    seconds: float
    finished: int
    cpu: dict[str, float]
    memory: dict[str, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one unit, over finished items."""

    title: str
    curves: dict[str, Points]


def panels(samples: list[Sample]) -> list[Panel]:
    """URLs/s, CPU per URL and memory. Of two samples in a row without progress there is no cost per URL: passed over."""
    speed: Points = []
    cost: dict[str, Points] = {}
    for before, after in itertools.pairwise(samples):
        done = after.finished - before.finished
        if done:
            speed.append((after.finished, done / (after.seconds - before.seconds)))
            for kind, seconds in after.cpu.items():
                spent = seconds - before.cpu.get(kind, 0.0)
                cost.setdefault(kind, []).append((after.finished, spent * 1000 / done))
    kinds = sorted({kind for sample in samples for kind in sample.memory})
    memory = {kind: [(float(s.finished), s.memory.get(kind, 0.0)) for s in samples] for kind in kinds}
    cost = {kind: points for kind, points in sorted(cost.items()) if max(y for _, y in points) >= 0.005}
    return [Panel("URLs/s", {"all": speed}), Panel("CPU ms per URL", cost), Panel("memory, MiB (PSS)", memory)]


def svg(title: str, panels: list[Panel]) -> str:
    """The picture."""
    height = 40 + len(panels) * (_HEIGHT + _GAP)
    body = "\n".join(
        line for number, panel in enumerate(panels) for line in _panel(panel, 50 + number * (_HEIGHT + _GAP))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 160} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n<text x="{_LEFT}" y="22" font-size="16">{title}</text>\n'
        f"{body}\n</svg>\n"
    )


def _panel(panel: Panel, top: float) -> Iterator[str]:
    right = max((x for points in panel.curves.values() for x, _ in points), default=1.0)
    most = max((y for points in panel.curves.values() for _, y in points), default=1.0) * 1.1 or 1.0
    bottom = top + _HEIGHT
    yield f'<text x="{_LEFT}" y="{top - 8:.0f}">{panel.title}</text>'
    for part in range(5):
        y = bottom - _HEIGHT * part / 4
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * part / 4:.3g}</text>'
        x = _LEFT + (_WIDTH - _LEFT) * part / 4
        yield f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle">{right * part / 4:,.0f}</text>'
    for row, (name, points) in enumerate(panel.curves.items()):
        colour = _COLOURS.get(name, "#0b6e99")
        path = " ".join(
            f"{_LEFT + (_WIDTH - _LEFT) * x / right:.1f},{bottom - _HEIGHT * y / most:.1f}" for x, y in points
        )
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text x="{_WIDTH + 10}" y="{top + 12 + row * 16:.0f}" fill="{colour}">{name}</text>'
