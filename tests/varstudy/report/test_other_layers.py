"""The section on layers that are no norm by a variance: every framework and every number of the study is there."""

from __future__ import annotations

from markupsafe import escape

from varstudy.report.rendering import environment
from varstudy.report.sections.other_layers import chapter
from varstudy.survey import systems

LAYERS, RANKS = chapter()


def test_every_system_has_its_frameworks_and_its_rows() -> None:
    assert [layer.name for layer in LAYERS] == list(systems.SYSTEMS)
    for layer in LAYERS:
        known = {row.framework for row in systems.rows(systems.committed()) if row.system == layer.name}
        known |= {fact.framework for fact in systems.documented() if fact.system == layer.name}
        assert {name for _, name, _, _ in layer.lines} == known
        assert all(len(cells) == len(layer.heads) for _, _, _, cells in layer.lines)
        assert layer.computed is not None
        assert all(len(line) == len(layer.computed.heads) for line in layer.computed.lines)


def test_the_template_shows_them() -> None:
    source = (
        '{% from "macros.html.j2" import heading, scroll with context %}{% include "details/other-layers.html.j2" %}'
    )
    html = environment().from_string(source).render(other_layers=(LAYERS, RANKS))
    for layer in LAYERS:
        assert f'id="layer-{layer.name}"' in html
        assert all(str(escape(title)) in html for title, _, _, _ in layer.lines)
    assert "inverse deviations" in html
    assert html.count("<table") == 2 * len(LAYERS) + 1
