"""The chapter on networks has every layer of the census, and its figures are those of the committed file."""

from __future__ import annotations

import numpy as np
from markupsafe import escape

from varstudy.networks.census import census_record
from varstudy.networks.census.nets import ENVIRONMENT, NETS
from varstudy.report.rendering import environment
from varstudy.report.sections import networks

CONTENT = census_record.committed()
ROWS, FACTS = census_record.rows(CONTENT), census_record.facts(CONTENT)
CHAPTER = networks.chapter()


def test_the_census_is_of_every_network_at_the_pinned_version() -> None:
    assert [fact.net for fact in FACTS] == list(NETS)
    assert {row.net for row in ROWS} == set(NETS)
    pins = ENVIRONMENT.pins()
    assert all(pins[fact.package] == fact.version for fact in FACTS)
    assert {each.net for each in census_record.effects(CONTENT)} == {
        net.name for net in NETS.values() if net.sensitivity
    }


def test_what_a_page_says_of_single_networks_is_so() -> None:
    by = {fact.net: fact for fact in FACTS}
    assert "8.attn_norm, 8.ffn_norm" in by["gemma3-270m"].float16
    assert by["minilm"].seconds <= 10
    formulas = {net: {row.formula for row in ROWS if row.net == net} for net in NETS}
    assert formulas["magika"] == {"E[x^2] - E[x]^2"}
    assert "two-pass" in formulas["ocr-rec"]
    assert {row.float16 for row in ROWS if row.net == "minilm"} == {"note: epsilon is 0"}
    # The page calls Magika the exception: no other layer is that badly conditioned.
    worst = {row.net for row in networks.conditioned(ROWS) if row.kappa_worst > 20}
    assert worst == {"magika"}


def test_quantiles_and_hazards_are_counted_over_all_layers() -> None:
    known = [row.kappa_worst for row in ROWS if row.kind != "rms" and np.isfinite(row.kappa_worst)]
    first = CHAPTER.kappas[0]
    assert first[1] == str(len(known))
    assert float(first[2]) == float(f"{np.median(known):.3g}")
    squares = next(line for line in CHAPTER.hazards if line[0].startswith("the sum of squares"))
    assert squares[1].split()[0] == str(sum(row.largest_sum_of_squares >= 65520 for row in ROWS))
    assert networks.claimed_of(CONTENT)["of"] == CHAPTER.total == len(CHAPTER.layers) == len(ROWS)


def test_the_template_shows_them() -> None:
    source = '{% from "macros.html.j2" import heading, scroll with context %}{% include "details/networks.html.j2" %}'
    html = environment().from_string(source).render(networks=CHAPTER)
    for fact in FACTS:
        assert str(escape(fact.title)) in html
    assert html.count("<table") == 4 + 2
    assert "NaN or infinite: 21,960 values" in html
    assert "finite, no correct digit" in html
    assert "Not measured: it is gone." in environment().from_string(source).render(
        networks=networks.Networks(problem="it is gone")
    )
