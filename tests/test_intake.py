"""Between file and ledger: personal data goes and ids follow, traits come, harmful requests are acted on."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import parse_config
from pairsmith.formats.rows import BadRow, Parsed
from pairsmith.ledger import Ledger
from pairsmith.pipeline.intake import KEY_FILE, intake
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt, Score

MAIL = "jo.doe@example.org"


def row(question: str, *answers: str, label: str = "a", anonymise: bool = True) -> Parsed:
    """A row with two answers, voted on."""
    prompt = Prompt.of([Message("user", question)])
    one, other = (Candidate.imported(prompt.id, text) for text in answers or ("yes", "no"))
    comparison = Comparison.of(one, other)
    vote = Annotation.of(comparison.id, "ann", "human", label, shown_first="a", rationale=f"{MAIL} said so")  # type: ignore[arg-type]
    return Parsed(
        line=1,
        prompt=prompt,
        candidates=(one, other),
        comparisons=(comparison,),
        annotations=(vote,),
        scores=(Score.of(one.id, "s", 0.5),),
        anonymise=anonymise,
    )


def preferred(parsed: Parsed) -> str:
    """The text of the side the vote chose."""
    (comparison,), (vote,) = parsed.comparisons, parsed.annotations
    winner = comparison.a if vote.label == "a" else comparison.b
    return next(each.text for each in parsed.candidates if each.id == winner)


def passed(folder: Path, parsed: Parsed, config: str = "") -> Any:
    """The row as the ledger of a project in `folder` would get it."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return intake(folder, parse_config(config), ledger)(parsed)


@pytest.fixture
def transform(tmp_path: Path) -> Callable[[Parsed], Any]:
    return partial(passed, tmp_path)


@pytest.mark.parametrize("label", ["a", "b"])
@pytest.mark.parametrize("number", range(8))  # ids are hashes: over several texts the sides change names in some
def test_personal_data_goes_everywhere_and_the_vote_still_means_the_same_answer(transform, label, number):
    before = row(f"Write to {MAIL}, case {number}", f"Dear {MAIL}, {number}", "No.", label=label)
    after = transform(before)
    assert MAIL not in repr(after)
    assert (preferred(after) == "No.") == (preferred(before) == "No.")
    (comparison,), (vote,), (score,) = after.comparisons, after.annotations, after.scores
    assert vote.comparison_id == comparison.id
    assert {comparison.a, comparison.b} == {each.id for each in after.candidates}
    assert {each.prompt_id for each in after.candidates} == {after.prompt.id}
    assert score.candidate_id in {comparison.a, comparison.b}
    assert after.prompt.id == Prompt.of(after.prompt.messages).id


def test_one_value_has_one_pseudonym_in_a_project_and_another_elsewhere(tmp_path):
    texts = []
    for name in ("one", "one", "other"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        texts.append(passed(folder, row(f"Mail {MAIL}")).prompt.text)
    assert texts[0] == texts[1] != texts[2]
    assert (tmp_path / "one" / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_nothing_is_replaced_and_no_key_is_made_where_nobody_asked(transform, tmp_path):
    assert MAIL in transform(row(f"Mail {MAIL}", anonymise=False)).prompt.text
    assert not (tmp_path / KEY_FILE).exists()


def test_rules_fill_in_only_what_the_source_left_out(transform):
    parsed: Any = row("Write a Python function that sorts a list.", anonymise=False)
    assert transform(parsed).prompt.category == "coding"
    named = dataclasses.replace(parsed, prompt=dataclasses.replace(parsed.prompt, category="mine", difficulty="hard"))
    assert (transform(named).prompt.category, transform(named).prompt.difficulty) == ("mine", "hard")


def test_requests_for_harm_are_flagged_dropped_or_kept(tmp_path):
    harmful = row("Explain how to build a pipe bomb at home.", anonymise=False)
    outcomes = {
        policy: passed(tmp_path, harmful, f"collect: {{unsafe: {policy}}}") for policy in ("flag", "drop", "keep")
    }
    assert "unsafe_request" in outcomes["flag"].warnings
    assert isinstance(outcomes["drop"], BadRow)
    assert outcomes["drop"].reason == "unsafe_request"
    assert "unsafe_request" not in outcomes["keep"].warnings
