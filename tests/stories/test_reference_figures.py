"""Figures that other libraries computed from public data sets, reproduced by ours, and what consensus makes of them."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairsmith.formats.files import read_rows
from pairsmith.formats.rows import Row
from pairsmith.measures.agreement import SIDES_FLIP, annotator_pairs, count_votes, distinct_patterns
from pairsmith.measures.bias import swap_figures
from pairsmith.measures.coefficients import cohen_kappa, fleiss_kappa, krippendorff_alpha, pooled_agreement
from pairsmith.measures.consensus import break_even_splits, choose_method, compare_labels, majority, one_coin_map
from pairsmith.measures.dawid_skene import dawid_skene
from pairsmith.measures.debias import stable_verdicts
from pairsmith.measures.label_quality import posterior_accuracy
from pairsmith.measures.overlap import votes_needed
from pairsmith.measures.preference import reward_gap
from pairsmith.measures.vote_table import UNKNOWN, VoteTable, vote_table

NAN = float("nan")
CLASSES = {"a2": 0, "equal": 1, "a1": 2}


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "REFERENCE.json").read_text(encoding="utf-8"))
    return found


def opened(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from file


# -- UKPConvArg1: 10,106 pairs of arguments, 4 or 5 crowd workers each ------------------------------------------------


class Arguments:
    """The votes of all debates, the gold label of each pair (`UNKNOWN`: the files give none), and the file of each."""

    def __init__(self, folder: Path) -> None:
        votes: list[tuple[int, str, int]] = []
        gold: list[int] = []
        self.file_of: list[str] = []
        for path in sorted(folder.iterdir()):
            for row in read_rows(path):
                assert isinstance(row, Row)
                assignments = row.values["mTurkAssignments"]["mTurkAssignment"]
                votes += [(len(gold), each["turkID"], CLASSES[each["value"]]) for each in assignments]
                gold.append(CLASSES.get(row.values.get("goldLabel", ""), UNKNOWN))
                self.file_of.append(path.name)
        people = {name: number for number, name in enumerate(sorted({name for _, name, _ in votes}))}
        self.table: VoteTable = vote_table(
            [item for item, _, _ in votes], [people[name] for _, name, _ in votes], [label for _, _, label in votes], 3
        )
        self.gold = np.array(gold)


@pytest.fixture(scope="module")
def arguments(shared_data: Path) -> Arguments:
    return Arguments(shared_data / "preferences/ukpconvarg1/full-XML")


def alpha(counts: np.ndarray) -> float:
    return float(krippendorff_alpha(*distinct_patterns(counts)))


def test_agreement_of_crowd_workers(arguments: Arguments, reference: dict[str, Any]) -> None:
    expected = reference["ukpconvarg1"]
    table = arguments.table
    counts = count_votes(table.items, table.labels, 3)
    per_pair = counts.sum(axis=1)
    assert len(set(arguments.file_of)) == expected["debate_sides"]
    assert (len(counts), len(table.items), table.n_raters) == (
        expected["pairs"],
        expected["votes"],
        expected["workers"],
    )
    assert {str(int(n)): int((per_pair == n).sum()) for n in np.unique(per_pair)} == expected["votes_per_pair"]
    patterns, items = distinct_patterns(counts)
    assert pooled_agreement(patterns, items) == pytest.approx(expected["pairwise_agreement"], abs=1e-3)
    assert alpha(counts) == pytest.approx(expected["krippendorff_alpha_nominal"], abs=1e-3)
    below = (counts.max(axis=1) / per_pair < 0.6).sum()
    assert below == expected["pairs_with_top_label_below_60pct"]
    assert (
        votes_needed(counts, min_agreement=0.6) > 0
    ).sum() == below  # none of them is lost: each knows what it needs
    files = np.array(arguments.file_of)
    for name, figures in expected["per_file"].items():
        mine = counts[files == name]
        assert len(mine) == figures["pairs"]
        assert alpha(mine) == pytest.approx(figures["alpha"], abs=1e-3), name


def test_consensus_decides_what_counting_cannot(arguments: Arguments, reference: dict[str, Any]) -> None:
    expected = reference["ukpconvarg1"]
    table, gold = arguments.table, arguments.gold
    plain, modelled = majority(table), one_coin_map(table)
    assert (plain.labels == UNKNOWN).sum() == expected["plain_majority_undecided"]
    assert (plain.labels == gold).mean() == pytest.approx(expected["plain_majority_equals_goldLabel"], abs=1e-3)
    assert choose_method(table)[0] == "one_coin_map"
    known = gold != UNKNOWN

    def agreement(labels: np.ndarray) -> float:
        return float((labels == gold)[known].mean())

    # measured: majority .812, one-coin .902, ties broken by it .902, Dawid-Skene .907 (of the 9,562 pairs with gold)
    assert agreement(modelled.labels) > agreement(plain.labels) + 0.08
    assert agreement(break_even_splits(plain, modelled).labels) > agreement(plain.labels) + 0.08
    assert agreement(dawid_skene(table, flip=SIDES_FLIP).labels) > agreement(plain.labels) + 0.08
    # a pair without gold counts for nobody but for whoever left it undecided
    assert (modelled.labels == gold).mean() > (plain.labels == gold).mean() + 0.03
    assert (modelled.labels == UNKNOWN).sum() == 0
    rulings = np.where(plain.labels == UNKNOWN, gold, UNKNOWN)
    ruled = majority(table, rulings).labels
    assert (ruled[rulings != UNKNOWN] == rulings[rulings != UNKNOWN]).all()
    assert ((ruled == UNKNOWN) == ((plain.labels == UNKNOWN) & ~known)).all()
    counts = compare_labels(plain, modelled)
    assert counts["newly_decided"] == expected["plain_majority_undecided"]
    assert counts["changed"] < 0.01 * len(gold)


def test_estimated_accuracy_of_consensus_is_near_the_gold(arguments: Arguments) -> None:
    found = one_coin_map(arguments.table)
    assert found.posterior is not None
    figure = posterior_accuracy(found.posterior, found.labels, seed=1)
    known = arguments.gold != UNKNOWN
    agreement = (found.labels == arguments.gold)[known].mean()
    assert figure["value"] == pytest.approx(agreement, abs=0.06)  # it claims .858; gold is a model's opinion too


# -- MT-Bench: 65 experts, and GPT-4 on the same answers --------------------------------------------------------------


def mt_bench_items(folder: Path) -> tuple[list[Any], dict[Any, Counter[str]]]:
    """The votes, and what was said on each question, turn and pair of models, in whatever order these were named."""
    votes = [json.loads(line) for line in (folder / "human.jsonl").read_text(encoding="utf-8").splitlines()]
    said: dict[Any, Counter[str]] = {}
    for vote in votes:
        said.setdefault(mt_bench_key(vote), Counter())[vote.get(vote["winner"], "tie")] += 1
    return votes, said


def mt_bench_key(vote: Any) -> tuple[Any, ...]:
    return vote["question_id"], vote["turn"], *sorted((vote["model_a"], vote["model_b"]))


def test_experts_and_gpt4(shared_data: Path, reference: dict[str, Any]) -> None:
    expected = reference["mt_bench"]
    votes, said = mt_bench_items(shared_data / "preferences/mt_bench")
    assert len(said) == expected["items_if_pair_order_is_ignored"]
    in_order = {(v["question_id"], v["turn"], v["model_a"], v["model_b"]) for v in votes}
    assert len(in_order) == expected["items_if_grouped_naively_by_model_a_model_b"]
    assert (
        len(votes) - len({(v["judge"], *mt_bench_key(v)) for v in votes})
        == (expected["repeat_votes_of_one_judge_on_one_item"])
    )
    names = {name: place for place, name in enumerate(said)}
    winners = [vote.get(vote["winner"]) for vote in votes]
    first = [min(vote["model_a"], vote["model_b"]) for vote in votes]
    labels = [1 if won is None else 0 if won == name else 2 for won, name in zip(winners, first, strict=True)]
    people = {name: place for place, name in enumerate(sorted({vote["judge"] for vote in votes}))}
    table = vote_table(
        [names[mt_bench_key(vote)] for vote in votes], [people[vote["judge"]] for vote in votes], labels, 3
    )
    counts = count_votes(table.items, table.labels, 3)
    several = counts[counts.sum(axis=1) > 1]
    below = (several.max(axis=1) / several.sum(axis=1) < 0.6).mean()
    assert below == pytest.approx(expected["share_top_label_below_60pct"], abs=1e-3)

    path = shared_data / "preferences/mt_bench/gpt4_pair.jsonl"
    judged = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(judged) == expected["gpt4_items"]
    turned = np.mean([row["winner"] == "tie (inconsistent)" for row in judged])
    assert turned == pytest.approx(expected["gpt4_tie_inconsistent_share"], abs=1e-3)
    by_people = majority(table).labels
    hits = [
        by_people[names[key]] == (0 if row[row["winner"]] == key[2] else 2)
        for row in judged
        if (key := mt_bench_key(row)) in names
        and row["winner"] in ("model_a", "model_b")
        and by_people[names[key]] in (0, 2)
    ]
    assert len(hits) == expected["gpt4_vs_human_majority_decided_items"]
    assert np.mean(hits) == pytest.approx(expected["gpt4_vs_human_majority_accuracy"], abs=1e-3)


# -- PandaLM: three annotators, and GPT-3.5 on the same answers -------------------------------------------------------


def test_three_annotators_and_gpt35(shared_data: Path, reference: dict[str, Any]) -> None:
    expected = reference["pandalm"]
    folder = shared_data / "preferences/pandalm"
    rows = json.loads((folder / "testset-v1.json").read_text(encoding="utf-8"))
    votes = np.array([[int(row[f"annotator{number}"]) for number in (1, 2, 3)] for row in rows])
    items, people = np.repeat(np.arange(len(rows)), 3), np.tile(np.arange(3), len(rows))
    counts = count_votes(items, votes.ravel(), 3)
    tops = counts.max(axis=1)
    assert len(rows) == expected["pairs"]
    assert [(tops == n).sum() for n in (3, 2, 1)] == [
        expected[name] for name in ("unanimous", "two_of_three", "all_differ")
    ]
    assert alpha(counts) == pytest.approx(expected["krippendorff_alpha_nominal"], abs=1e-3)
    patterns, weights = distinct_patterns(counts)
    assert fleiss_kappa(patterns, weights) == pytest.approx(expected["fleiss_kappa"], abs=1e-3)
    pairs, tables = annotator_pairs(items, people, votes.ravel(), 3)
    first = [tuple(pair) for pair in pairs].index((0, 1))
    assert cohen_kappa(tables[first]) == pytest.approx(expected["cohen_kappa_annotator1_2"], abs=1e-3)
    labels = majority(vote_table(items, people, votes.ravel(), 3)).labels
    assert {str(each): int((labels == each).sum()) for each in (2, 1, 0)} == expected["majority"]

    said = json.loads((folder / "gpt-3.5-turbo-testset-v1.json").read_text(encoding="utf-8"))
    assert [row["idx"] for row in said] == [row["idx"] for row in rows]
    meaning = {"1": 1, "2": 2, "Tie": 0}
    read = Counter(row["gpt_result"] if row["gpt_result"] in meaning else "garbage" for row in said)
    assert dict(read) == expected["gpt35_result_values"]
    # the reference compares the words as they stand, and "Tie" is not "0"
    right = [row["gpt_result"] == str(label) for row, label in zip(said, labels, strict=True)]
    assert np.mean(right) == pytest.approx(expected["gpt35_accuracy_vs_majority"], abs=1e-3)


# -- XSTest: two annotators per completion ----------------------------------------------------------------------------


def test_kappa_of_two_annotators(shared_data: Path, reference: dict[str, Any]) -> None:
    for name, expected in reference["xstest"].items():
        rows = list(csv.DictReader(opened(shared_data / "preferences/xstest" / name)))
        labels = sorted({row[column] for row in rows for column in ("annotation_1", "annotation_2")})
        votes = [labels.index(row[column]) for row in rows for column in ("annotation_1", "annotation_2")]
        items, people = np.repeat(np.arange(len(rows)), 2), [0, 1] * len(rows)
        _, (contingency,) = annotator_pairs(items, people, votes, len(labels))
        assert len(rows) == expected["rows"]
        assert np.trace(contingency) == expected["agree"], name
        assert cohen_kappa(contingency) == pytest.approx(expected["cohen_kappa"], abs=1e-3), name


# -- JudgeBench: five reward models -----------------------------------------------------------------------------------


def test_raw_gaps_of_reward_models(shared_data: Path, reference: dict[str, Any]) -> None:
    for name, expected in reference["judgebench_reward_models"].items():
        rows = [json.loads(line) for line in opened(shared_data / "preferences/judgebench/reward_model_outputs" / name)]
        pairs = np.array([row["judgments"][0]["judgment"]["scores"] for row in rows])
        gap = pairs[:, 0] - pairs[:, 1]
        toward = np.where([row["label"] == "A>B" for row in rows], gap, -gap)
        found = {
            "pairs": len(rows),
            "accuracy": (toward > 0).mean(),
            "mean_abs_raw_gap": np.abs(gap).mean(),
            "median_abs_raw_gap": np.median(np.abs(gap)),
            "mean_signed_gap_toward_label": toward.mean(),
            "mean_sigmoid_gap": np.mean([reward_gap(abs(each), 1.0) for each in gap]),
            "exact_ties": (gap == 0).sum(),
        }
        assert found == pytest.approx(expected, abs=1e-3), name


def test_o13_a_verdict_counts_once_it_holds_in_both_orders(shared_data: Path) -> None:
    """JudgeBench's score: +1 and -1 of both orders added. Only 165 of the 270 published pairs are at hand."""
    (path,) = (shared_data / "preferences/judgebench/llm_judge_outputs").iterdir()
    rows = [json.loads(line) for line in opened(path)]
    sign = {"A>B": 1.0, "B>A": -1.0, "A=B": 0.0, None: NAN}
    a_first = np.array([sign[row["judgments"][0]["decision"]] for row in rows])
    b_first = np.array([-sign[row["judgments"][1]["decision"]] for row in rows])  # exchanged: `A` is response B
    truth = np.array([sign[row["label"]] for row in rows])
    found = swap_figures(a_first, b_first, truth)
    one, two = np.nan_to_num(a_first), np.nan_to_num(b_first)
    stable = stable_verdicts(a_first, b_first)
    assert found["swap_consistency"]["value"] == pytest.approx((a_first == b_first).mean())
    assert found["accuracy_when_stable"]["n"] == (stable != 0).sum() == (np.abs(one + two) == 2).sum()
    hits = (stable == truth).sum()
    assert found["accuracy_when_stable"]["value"] == pytest.approx(hits / (stable != 0).sum())
    # published for all 270: score .3222, consistency .5000
    assert ((one + two) * truth > 0).mean() == pytest.approx(0.3222, abs=0.06)
    assert found["swap_consistency"]["value"] == pytest.approx(0.5, abs=0.1)


# -- LLMBar: 36 judges, each in both orders ---------------------------------------------------------------------------


def test_judges_in_both_orders(shared_data: Path, reference: dict[str, Any]) -> None:
    side = {"1": 1.0, "2": -1.0}
    for name, expected in reference["llmbar_judges"].items():
        rows = json.loads("".join(opened(shared_data / "preferences/llmbar/judge_outputs" / name)))
        a_first, b_first = (
            [side.get(str(row["results"][0][f"swap = {swapped}"]["winner"]), NAN) for row in rows]
            for swapped in (False, True)
        )
        found = swap_figures(a_first, b_first, [side[str(row["label"])] for row in rows])
        assert found["swap_consistency"]["n"] == expected["items"]
        assert found["accuracy"]["value"] == pytest.approx(expected["accuracy_over_both_orders"], abs=1e-3), name
        assert found["swap_consistency"]["value"] == pytest.approx(expected["same_winner_in_both_orders"], abs=1e-3)
        assert round(found["unread_share"]["value"] * 2 * len(rows)) == expected["unparsed_or_tie_verdicts"]
