"""Votes of others: arena, PandaLM, HH-RLHF and plain vote files, on made-up rows and on the real data."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pairsmith.formats.files import read_rows
from pairsmith.formats.parsers import PARSERS
from pairsmith.formats.rows import BadRow, Parsed, SourceContext
from pairsmith.records import Annotation, Candidate, Comparison, Prompt
from tests.formats.helpers import bad, good, parse, turns

BATTLE = {
    "question_id": 1,
    "model_a": "zeta",
    "model_b": "alpha",
    "winner": "model_a",
    "judge": "expert_1",
    "conversation_a": turns("Q1", "z1", "Q2", "z2"),
    "conversation_b": turns("Q1", "a1", "Q2", "a2"),
    "turn": 1,
}


def imported(path: Path, name: str) -> tuple[list[Parsed], list[BadRow]]:
    items = list(PARSERS[name](read_rows(path), SourceContext(path.name)))
    return [i for i in items if isinstance(i, Parsed)], [i for i in items if isinstance(i, BadRow)]


# -- arena ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("winner", "label"),
    [
        ("model_a", "b"),  # sides are ordered by model name: alpha is a
        ("model_b", "a"),
        ("tie", "tie"),
        ("tie (bothbad)", "both_bad"),
        ("tie (inconsistent)", "unsure"),
        (" Model_A ", "b"),
    ],
)
def test_winner_is_told_of_the_canonical_sides(winner: str, label: str) -> None:
    parsed = good("arena", {**BATTLE, "winner": winner})
    (comparison,), (vote,) = parsed.comparisons, parsed.annotations
    models = {candidate.id: candidate.model for candidate in parsed.candidates}
    assert (models[comparison.a], models[comparison.b]) == ("alpha", "zeta")
    assert (vote.label, vote.shown_first, vote.annotator, vote.kind) == (label, "b", "expert_1", "human")


def test_the_same_battle_seen_in_the_other_order_is_the_same_comparison() -> None:
    swapped = {
        **BATTLE,
        "model_a": "alpha",
        "model_b": "zeta",
        "winner": "model_b",
        "conversation_a": BATTLE["conversation_b"],
        "conversation_b": BATTLE["conversation_a"],
        "judge": "expert_2",
    }
    one, other = parse("arena", BATTLE, swapped)
    assert isinstance(one, Parsed)
    assert isinstance(other, Parsed)
    assert one.comparisons == other.comparisons
    assert one.annotations[0].label == other.annotations[0].label == "b"
    assert (one.annotations[0].shown_first, other.annotations[0].shown_first) == ("b", "a")


def test_a_first_turn_has_no_context_and_a_second_turn_has_what_differs() -> None:
    first = good("arena", BATTLE)
    assert first.prompt is not None
    assert first.prompt.text == "Q1"
    assert [(each.text, each.context) for each in first.candidates] == [("z1", ()), ("a1", ())]
    second = good("arena", {**BATTLE, "turn": 2})
    assert second.prompt == first.prompt
    assert [[turn.content for turn in each.completion] for each in second.candidates] == [
        ["z1", "Q2", "z2"],
        ["a1", "Q2", "a2"],
    ]
    same_start = {**BATTLE, "turn": 2, "conversation_b": turns("Q1", "z1", "Q2", "a2")}
    third = good("arena", same_start)
    assert third.prompt is not None
    assert [turn.content for turn in third.prompt.messages] == ["Q1", "z1", "Q2"]
    assert [each.context for each in third.candidates] == [(), ()]


def test_without_turn_the_vote_is_on_the_last_answers() -> None:
    row = {key: value for key, value in BATTLE.items() if key != "turn"}
    assert [each.text for each in good("arena", row).candidates] == ["z2", "a2"]


def test_repeated_votes_are_numbered_and_said() -> None:
    items = parse("arena", BATTLE, BATTLE, {**BATTLE, "winner": "tie"}, {**BATTLE, "judge": "other"})
    votes = [item.annotations[0] for item in items if isinstance(item, Parsed)]
    assert [vote.revision for vote in votes] == [0, 1, 2, 0]
    assert len({vote.id for vote in votes}) == 4
    assert [set(item.warnings) & {"repeat_vote", "changed_vote"} for item in items if isinstance(item, Parsed)] == [
        set(),
        {"repeat_vote"},
        {"changed_vote"},
        set(),
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"winner": "model_c"}, ("unknown_label", "winner")),
        ({"judge": ""}, ("empty_text", "judge")),
        ({"turn": 3}, ("turn_out_of_range", "turn")),
        ({"turn": 0}, ("turn_out_of_range", "turn")),
        ({"turn": "first"}, ("wrong_type", "turn")),
        ({"conversation_b": turns("Other", "a1")}, ("prompt_mismatch", "conversation_b")),
        ({"conversation_a": []}, ("empty_messages", "conversation_a")),
        ({"conversation_a": turns("Q1", "x")[::-1]}, ("wrong_role_order", "conversation_a[0]")),
        ({"model_b": None}, ("null_value", "model_b")),
        ({"model_b": "zeta", "conversation_b": turns("Q1", "z1")}, ("identical_answers", "")),
    ],
)
def test_unusable_battles(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert bad("arena", {**BATTLE, **change}) == expected


def test_judges_that_are_models_and_rows_that_name_none() -> None:
    assert good("arena", {**BATTLE, "judge": "gpt-4"}).annotations[0].kind == "judge"
    anonymous = good("arena", {key: value for key, value in BATTLE.items() if key != "judge"})
    assert anonymous.annotations[0].annotator == "a-source"
    assert "no_annotator" in anonymous.warnings


def test_mt_bench_as_published(shared_data: Path) -> None:
    rows, rejected = imported(shared_data / "preferences/mt_bench/human_judgments_hf_schema.jsonl.gz", "arena")
    votes: list[Annotation] = [vote for row in rows for vote in row.annotations]
    comparisons: set[Comparison] = {comparison for row in rows for comparison in row.comparisons}
    assert not rejected
    assert (len(votes), len({vote.id for vote in votes}), len(comparisons)) == (1942, 1942, 1055)
    assert len({vote.annotator for vote in votes}) == 65
    assert {vote.revision for vote in votes} == {0}
    assert Counter(vote.label == "tie" for vote in votes)[True] == 469
    by_id: dict[str, Candidate] = {each.id: each for row in rows for each in row.candidates}
    for row in rows:
        (comparison,) = row.comparisons
        assert by_id[comparison.a].model < by_id[comparison.b].model
    agreeing, pairs = _pairwise_agreement(votes)
    assert pairs == 1359
    assert round(agreeing / pairs, 3) == 0.677


def _pairwise_agreement(votes: list[Annotation]) -> tuple[int, int]:
    labels: dict[str, list[str]] = {}
    for vote in votes:
        labels.setdefault(vote.comparison_id, []).append(vote.label)
    agreeing = pairs = 0
    for given in labels.values():
        pairs += len(given) * (len(given) - 1) // 2
        agreeing += sum(count * (count - 1) // 2 for count in Counter(given).values())
    return agreeing, pairs


# -- PandaLM --------------------------------------------------------------------------------------------------------

PANDA = {
    "instruction": "Shorten.",
    "input": "A text.",
    "cmp_key": "opt-7b_bloom-7b",
    "response1": "one",
    "response2": "two",
    "annotator1": 1,
    "annotator2": 2,
    "annotator3": 0,
}


def test_pandalm_names_models_and_turns_labels_round() -> None:
    parsed = good("pandalm", PANDA)
    assert parsed.prompt is not None
    assert parsed.prompt.text == "Shorten.\n\nA text."
    assert [(each.model, each.text) for each in parsed.candidates] == [("opt-7b", "one"), ("bloom-7b", "two")]
    assert parsed.comparisons[0].a == parsed.candidates[1].id
    assert [(vote.annotator, vote.label) for vote in parsed.annotations] == [
        ("annotator1", "b"),
        ("annotator2", "a"),
        ("annotator3", "tie"),
    ]


def test_an_answer_that_is_no_text_keeps_its_votes_and_never_becomes_text() -> None:
    parsed = good("pandalm", {**PANDA, "response1": True})
    assert (parsed.candidates[0].text, len(parsed.annotations)) == ("", 3)
    assert "true" in parsed.candidates[0].error
    assert "not_text_answer" in parsed.warnings
    written_out = good("pandalm", {**PANDA, "response1": "true"})
    assert written_out.candidates[0].id != parsed.candidates[0].id


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"annotator2": 3}, ("unknown_label", "annotator2")),
        ({"annotator2": None}, ("null_value", "annotator2")),
        ({"annotator2": True}, ("wrong_type", "annotator2")),
        ({"response1": None}, ("null_value", "response1")),
        ({"response1": ["x"]}, ("wrong_type", "response1")),
    ],
)
def test_unusable_pandalm_rows(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert bad("pandalm", {**PANDA, **change}) == expected


def test_pandalm_as_published(shared_data: Path) -> None:
    rows, rejected = imported(shared_data / "preferences/pandalm/testset-v1.json", "pandalm")
    votes = [vote for row in rows for vote in row.annotations]
    assert not rejected
    assert (len(rows), len(votes), len({vote.id for vote in votes})) == (630, 1890, 1890)
    assert sum("not_text_answer" in row.warnings for row in rows) == 6
    assert sum("empty_answer" in row.warnings for row in rows) == 46
    # Fleiss' kappa by its definition, against the value computed elsewhere (REFERENCE.json)
    tables = [Counter(vote.label for vote in row.annotations) for row in rows]
    observed = sum((sum(n * n for n in table.values()) - 3) / 6 for table in tables) / len(tables)
    shares = Counter(vote.label for vote in votes)
    expected = sum((count / len(votes)) ** 2 for count in shares.values())
    assert round((observed - expected) / (1 - expected), 4) == 0.8809


# -- HH-RLHF --------------------------------------------------------------------------------------------------------


def test_transcripts_part_at_the_last_common_answer() -> None:
    start = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: how?\n\nAssistant:"
    parsed = good("hh", {"chosen": start + " It is so.", "rejected": start + " It is\n\nHuman: not over"})
    assert parsed.prompt is not None
    assert [(turn.role, turn.content) for turn in parsed.prompt.messages] == [
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "how?"),
    ]
    assert [each.text for each in parsed.candidates] == ["It is so.", "It is\n\nHuman: not over"]
    assert "embedded_marker" in parsed.warnings


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant:", ("empty_text", "rejected")),
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: c\n\nAssistant: d", ("no_common_turn", "rejected")),
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant: b", ("identical_answers", "rejected")),
        ("x\n\nHuman: a\n\nAssistant: b", "x\n\nHuman: a\n\nAssistant: c", ("wrong_role_order", "chosen")),
        ("\n\nAssistant: b", "\n\nAssistant: c", ("no_user_turn", "chosen")),
    ],
)
def test_unusable_transcripts(chosen: str, rejected: str, expected: tuple[str, str]) -> None:
    assert bad("hh", {"chosen": chosen, "rejected": rejected}) == expected


def test_hh_rlhf_as_published(shared_data: Path) -> None:
    (path,) = (shared_data / "preferences/hh_rlhf").glob("*.gz")
    rows, rejected = imported(path, "hh")
    assert (len(rows), len(rejected)) == (1407, 3)
    assert {(row.reason, row.field) for row in rejected} == {("empty_text", "chosen")}
    originals = [row.values for row in read_rows(path) if not isinstance(row, BadRow)]
    for row in rows:  # nothing is lost: prompt and answers put together again are the transcripts
        assert row.prompt is not None
        for candidate, side in zip(row.candidates, ("chosen", "rejected"), strict=True):
            names = {"user": "Human", "assistant": "Assistant"}
            text = "".join(f"\n\n{names[turn.role]}: {turn.content}" for turn in row.prompt.messages)
            rebuilt = f"{text}\n\nAssistant: {candidate.text}"
            assert "".join(rebuilt.split()) == "".join(originals[row.line - 1][side].split())


# -- plain votes ----------------------------------------------------------------------------------------------------


def test_votes_on_pairs_in_the_row() -> None:
    row = {"prompt": "Q", "response_a": "x y", "response_b": "u v", "annotator": 7, "label": "A", "seconds": "2.5"}
    parsed = good("votes", row)
    by_id = {each.id: each.text for each in parsed.candidates}
    vote = parsed.annotations[0]
    winner = parsed.comparisons[0].a if vote.label == "a" else parsed.comparisons[0].b
    assert (by_id[winner], vote.annotator, vote.seconds) == ("x y", "7", 2.5)


def test_votes_say_which_side_was_seen_first() -> None:
    row = {"prompt": "Q", "response_a": "x y", "response_b": "u v", "annotator": "n", "label": "a"}
    seen = {shown: good("votes", {**row, "shown_first": shown}) for shown in ("a", "b")}
    for shown, parsed in seen.items():
        vote, by_id = parsed.annotations[0], {each.id: each.text for each in parsed.candidates}
        sides = {"a": by_id[parsed.comparisons[0].a], "b": by_id[parsed.comparisons[0].b]}
        assert sides[vote.label] == "x y"
        assert sides[vote.shown_first or ""] == {"a": "x y", "b": "u v"}[shown]
    assert good("votes", row).annotations[0].shown_first is None
    assert bad("votes", {**row, "shown_first": "left"}) == ("wrong_type", "shown_first")


def test_votes_on_pairs_elsewhere() -> None:
    ours = "cmp_" + "0" * 24
    linked, unlinked = parse(
        "votes",
        {"comparison_id": ours, "annotator": "x", "label": "b"},
        {"pair_id": "p1", "annotator": "x", "label": "b"},
    )
    assert isinstance(linked, Parsed)
    assert isinstance(unlinked, Parsed)
    assert (linked.prompt, linked.annotations[0].comparison_id, linked.warnings) == (None, ours, ())
    assert unlinked.warnings == ("unlinked_vote",)


def test_negative_time_is_refused() -> None:
    assert bad("votes", {"pair_id": "p", "annotator": "x", "label": "a", "seconds": -1}) == ("wrong_type", "seconds")


def test_prompts_of_votes_are_prompts(shared_data: Path) -> None:
    rows, _ = imported(shared_data / "preferences/pandalm/testset-v1.json", "pandalm")
    assert all(isinstance(row.prompt, Prompt) and row.prompt.text.strip() for row in rows)
