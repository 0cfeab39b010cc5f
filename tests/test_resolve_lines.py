"""What `pairsmith resolve` tells a person about its own doing."""

from pairsmith.cli.resolve_lines import resolve_lines
from tests.test_resolve import World
from tests.test_resolve_methods import SPLIT, crowd, judged, opposed, resolve_scored


def test_calibrated_verdicts_are_not_said_to_be_counted():
    world, scores = judged(120)
    lines = list(resolve_lines(resolve_scored(world, scores, combine="calibrated").metrics))
    assert lines[0] == "decided by people and models together (calibrated): 200"
    assert lines[1] == "models calibrated on 120 pairs with people's votes: score:rm"


def test_what_was_asked_for_and_not_done_is_said():
    world, scores = judged(40)
    text = "\n".join(resolve_lines(resolve_scored(world, scores, combine="calibrated").metrics))
    assert "NOT calibrated, votes of models count as they are: 40 pairs" in text
    text = "\n".join(resolve_lines(World().resolve(corrections=["length", "position"]).metrics))
    assert "correction length did nothing: no verdict of models alone" in text
    assert "correction position did nothing: no vote says which side" in text
    assert "decided" not in text


def test_methods_conflicts_and_groups_are_counted():
    world, _ = crowd()
    text = "\n".join(resolve_lines(world.resolve(method="auto", select={"policy": "best_worst"}).metrics))
    assert "a model of annotators (map): " in text
    assert "votes by map: typically 120 votes per rater" in text
    assert "pairs (best_worst)" in text
    assert "conflicts found (conflicts.jsonl of a build has the evidence): inconsistent" in text
    text = "\n".join(resolve_lines(opposed().resolve(conflicts=SPLIT).metrics))
    assert "60 comparisons have a row for each of two opposed groups" in text
