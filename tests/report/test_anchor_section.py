"""The report's section on models held against people, and the sentence about them on the dataset card."""

from pairsmith.pipeline.gate import gate_document
from pairsmith.report.card import render_card
from pairsmith.report.html import render_report
from tests.report.pages import Page
from tests.test_anchor import World

HOSTILE = "<script>alert(1)</script>"


def test_every_model_has_its_figures() -> None:
    world = World(80)
    world.vote("ann", "human", 1.0)
    world.vote("judge:good", "judge", 0.95)
    world.vote("judge:wrong", "judge", 0.1)
    world.vote(HOSTILE, "judge", 0.8)
    result = world.derive()
    page = render_report(result.metrics, gate_document(result.gate))
    text = Page(page).text
    assert "Labels of models against people" in text
    for words in (
        "judge:good",
        "Withheld: no better than chance",
        "Explained by style",
        "Alt-test, winning rate at 0.15",
    ):
        assert words in text
    assert HOSTILE in text
    assert HOSTILE not in page
    assert "models alone whose votes were never compared" not in render_card(result.metrics, gate_document(result.gate))


def test_models_nobody_measured_are_said_to_be_so() -> None:
    world = World(20)
    world.vote("judge:x", "judge", 0.9)
    result = world.derive()
    text = Page(render_report(result.metrics, gate_document(result.gate))).text
    assert "people labelled 0 comparisons; 50 are needed" in text
    card = render_card(result.metrics, gate_document(result.gate))
    assert "20 pairs rest on models alone whose votes were never compared with people's labels" in card


def test_a_dataset_of_people_has_nothing_to_say() -> None:
    world = World(12)
    world.vote("ann", "human", 1.0)
    result = world.derive()
    assert "No model voted or scored" in Page(render_report(result.metrics, gate_document(result.gate))).text
