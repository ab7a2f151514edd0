"""An audit's page has the verdict first, every risk and every layer, and nothing of a name is taken for markup."""

from __future__ import annotations

import numpy as np

from varkernels.formats import FLOAT16
from varstudy.networks.audit import audit_of, audited
from varstudy.networks.layer_facts import LayerFacts
from varstudy.networks.norm_layers import Formula, NormLayer
from varstudy.report import audit_page


def layer(name: str, x: list[float], formula: Formula = Formula.FUSED):
    facts = LayerFacts(NormLayer(name, "layer", formula, 1e-5, nodes=(f"{name}/a", f"{name}/b")))
    facts.update(np.array([x]))
    return audited(facts, FLOAT16)


def test_the_page_says_what_the_audit_found() -> None:
    found = audit_of(
        "net.onnx",
        FLOAT16,
        [layer("good", [1.0, 2.0]), layer("<b>bad</b>", [1e6, 0.0]), layer("maybe", [300.0, 0.0])],
        {"outside": 70000.0},
        ["A note."],
    )
    page = audit_page.render(found)
    assert "<h1>1 of 3 layers overflows in float16: &lt;b&gt;bad&lt;/b&gt;; keep it in float32." in page
    assert "<b>bad" not in page
    assert "x^2 is up to 9e+04 for one value, beyond float16" in page
    assert "A note." in page
    for name in ("good", "maybe", "outside"):
        assert name in page
    assert "maybe/a" not in page
    assert "maybe/a" in audit_page.render(found, strict=True)


def test_a_network_without_risk_says_so() -> None:
    page = audit_page.render(audit_of("net", FLOAT16, [layer("good", [1.0, 2.0])]))
    assert "None of 1 layer is at risk in float16 on this data." in page
    assert "Nothing has to be kept on this data." in page
