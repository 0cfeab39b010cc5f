"""Raw answers of published judges, read again: every verdict that differs from the published one is accounted for."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairsmith.errors import ModelError
from pairsmith.models.verdicts import Choice, parse_marked, parse_score_pair


def llmbar(folder: Path, kind: str) -> Iterator[tuple[str, str, str, str | None]]:
    """Judge, raw answer, the response shown first, and the published winner, over both orders."""
    for file in sorted((folder / "preferences/llmbar/judge_outputs").rglob(f"*_{kind}.json.gz")):
        for row in json.loads(gzip.decompress(file.read_bytes())):
            for order, first in (("swap = False", "1"), ("swap = True", "2")):
                answer = row["results"][0][order]
                yield file.name.partition("_")[0], answer["completion"][0], first, answer["winner"]


def winner(text: str, marks: dict[str, Choice], first: str) -> str | None:
    """Which response the text calls better; `None` if it cannot be told."""
    try:
        choice = parse_marked(text, marks)
    except ModelError:
        return None
    return first if choice == "first" else {"1": "2", "2": "1"}[first]


def test_one_line_answers_of_five_judges(shared_data):
    marks: dict[str, Choice] = {"Output (a)": "first", "Output (b)": "second"}
    told = Counter(
        winner(text, marks, first) == published for _, text, first, published in llmbar(shared_data, "Vanilla")
    )
    assert told == {True: 1900}


def test_reasoned_answers_of_five_judges(shared_data):
    """1,900 chains of thought. Read as published: 1,822, and 4 which nobody can read.

    In 4 the text calls both outputs better in turn: no verdict here, published by the last or first of them. In 70, all
    of PaLM 2, the text calls exactly one output better and the other was published: where its last paragraph opens with
    the name of the other output, that name was taken for the verdict.
    """
    marks: dict[str, Choice] = {"Output (a) is better": "first", "Output (b) is better": "second"}
    told: Counter[Any] = Counter()
    for judge, text, first, published in llmbar(shared_data, "CoT"):
        read = winner(text, marks, first)
        if read == published:
            told["same" if read else "unreadable"] += 1
        elif read is None:
            assert all(mark in text for mark in marks)
            told["both"] += 1
        else:
            other = "a" if published == first else "b"
            assert f"Output ({other}) is better" not in text
            last = re.search(r"Output \((.)\)", text.strip().rpartition("\n")[2])
            told[f"{judge} other", last is not None and last[1] == other] += 1
    assert told == {"same": 1822, "unreadable": 4, "both": 4, ("PaLM2 other", True): 68, ("PaLM2 other", False): 2}


def test_ratings_of_two_judges_are_whole_numbers_that_decide_as_published(shared_data):
    count = 0
    for file in sorted((shared_data / "preferences/llmbar/judge_outputs").rglob("*_Rating.json.gz")):
        for row in json.loads(gzip.decompress(file.read_bytes())):
            [result] = row["results"]
            one, other = (float(parse_score_pair(f"{result[name][0]} 0")[0]) for name in ("score_1", "score_2"))
            published = {result[order]["winner"] for order in ("swap = False", "swap = True")}
            if one != other:
                assert published == {"1" if one > other else "2"}
            count += 1
    assert count == 380


def test_reviews_of_vicuna(shared_data):
    """GPT-4's reviews of 80 questions and 8 pairs. Of questions 68 to 70 (mathematics) the first line is no score: the
    answer solves the problem first, and the published scores were entered by hand.
    """
    told: Counter[str] = Counter()
    by_hand: set[int] = set()
    for file in sorted((shared_data / "preferences/vicuna_blog_eval").rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            review: dict[str, Any] = json.loads(line)
            try:
                assert list(parse_score_pair(review["text"])) == review["score"]
            except ModelError:
                by_hand.add(review["question_id"])
                told["no score on the first line"] += 1
            else:
                told["same"] += 1
    assert told == {"same": 572, "no score on the first line": 39}
    assert by_hand == {68, 69, 70}


@pytest.mark.parametrize("text", ["Score: 8 9", "8", "8 9 10", "8 9.", "eight nine", "\n", "First: 8 9\n8 9"])
def test_what_is_no_pair_of_scores(text):
    with pytest.raises(ModelError):
        parse_score_pair(text)


def test_garbage_of_pandalm_is_no_verdict(shared_data):
    rows = json.loads((shared_data / "preferences/pandalm/gpt-3.5-turbo-testset-v1.json").read_text(encoding="utf-8"))
    told: Counter[str] = Counter()
    for row in rows:
        try:
            told[parse_marked(str(row["gpt_result"]), {"1": "first", "2": "second", "Tie": "tie"})] += 1
        except ModelError:
            assert row["gpt_result"] == "garbage"
            told["no verdict"] += 1
    assert told == {"first": 281, "second": 310, "tie": 22, "no verdict": 17}
