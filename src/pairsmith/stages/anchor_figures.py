"""Every model that votes or scores, held against what people said about the anchor, and what its votes count then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pairsmith.config import AnchorConfig, ResolveConfig
from pairsmith.measures.alt_test import EPSILONS, alt_test
from pairsmith.measures.bias import length_figures, self_preference
from pairsmith.measures.intervals import figure
from pairsmith.measures.judge_audit import audit_judge
from pairsmith.measures.sample_size import labels_to_halve
from pairsmith.measures.style_head import style_explained
from pairsmith.measures.surface import FEATURES, Vector, surface_features
from pairsmith.measures.vote_table import Floats
from pairsmith.measures.weighted import vote_weight, weighted_kappa, weighted_share
from pairsmith.records import AnchorDraw, Annotation, Score
from pairsmith.stages.anchor_sample import MIN_LABELS, AnchorSample, anchor_sample
from pairsmith.stages.bias_figures import family, family_of, position_figures, response_text
from pairsmith.stages.cases import Case, columns_of
from pairsmith.stages.model_votes import MODEL_KINDS, SIGNS, ModelVotes, model_votes

__all__ = ["Anchored", "anchor_figures"]

_MAX_MODELS: Final = 20
_MAX_STYLE: Final = 2000  # verdicts; more only narrow an interval of a few points
_CLASSES: Mapping[str, int] = {"a": 0, "b": 1, "tie": 2}
_NAMES: Mapping[float, str] = {1.0: "a", -1.0: "b", 0.0: "tie"}


@dataclass(frozen=True, slots=True)
class Anchored:
    """The figures, and what a vote of each model counts beside a person's, in [0, 1]."""

    figures: Mapping[str, Any]
    trust: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all models are held against. `people` holds 1, -1, 0 or NaN for every case."""

    cases: Sequence[Case]
    sample: AnchorSample
    people: Floats
    voters: Mapping[str, Mapping[str, str]]
    features: dict[str, Vector]
    person: float
    seed: int


def anchor_figures(
    cfg: AnchorConfig,
    resolve: ResolveConfig,
    cases: Sequence[Case],
    draws: Sequence[AnchorDraw],
    scores: Sequence[Score],
    *,
    size: int,
    person: float,
    seed: int,
) -> Anchored:
    """One row of figures per model, most votes first (at most 20 are measured), and the weight of its votes.

    Args:
        cfg: the section `annotate.anchor`.
        resolve: the section `resolve`; its `anchor` decides what unmeasured votes count.
        cases: all cases with all latest votes.
        draws: the anchor.
        scores: what scorers gave candidates; those that do not vote themselves are measured by the side they put first.
        size: how many comparisons the random part is to have.
        person: accuracy of a typical person's vote, in (0.5, 1).
        seed: of folds and intervals.
    """
    sample = anchor_sample(cases, draws)
    people = np.full(len(cases), np.nan)
    for row, label in zip(sample.rows, sample.labels, strict=True):
        people[row] = SIGNS[label]
    bench = _Bench(cases, sample, people, _voters(cases), {}, person, seed)
    votes: dict[str, list[Annotation]] = {}
    for case in cases:
        for vote in case.votes:
            if vote.kind in MODEL_KINDS:
                votes.setdefault(vote.annotator, []).append(vote)
    said = model_votes([case.comparison for case in cases], (vote for case in cases for vote in case.votes), scores)
    names = sorted(votes, key=lambda name: (-len(votes[name]), name))
    models = [
        _measured(bench, name, votes[name], said.verdicts[:, said.judges.index(name)]) for name in names[:_MAX_MODELS]
    ]
    models += _silent(bench, said, names, _MAX_MODELS - len(models))
    trust = {each["name"]: _trusted(each, resolve) for each in models if each["votes"]}
    trust |= {name: 0.0 for name in names[_MAX_MODELS:] if resolve.anchor == "required"}
    for each in models:
        each["weight"] = trust.get(each["name"])
    evaluated = any(each["state"] == "evaluated" for each in models)
    reason = sample.reason or ("" if evaluated else "no model voted on enough of what people labelled")
    return Anchored(
        {
            "state": "evaluated" if evaluated else "not_evaluated",
            "reason": reason if models else "no model voted",
            "design": sample.design,
            "labels": len(sample.rows),
            "plan": {"random": size, "hardest": round(cfg.hardest * size), "active": round(cfg.active * size)},
            "parts": sample.parts,
            "person_accuracy": person,
            "models": models,
        },
        {} if resolve.anchor == "alike" else trust,
    )


def _trusted(row: Mapping[str, Any], cfg: ResolveConfig) -> float:
    if cfg.anchor == "alike":
        return 1.0
    if row["state"] != "evaluated":
        return 0.0 if cfg.anchor == "required" else 1.0
    return float(row["measured_weight"])


def _measured(bench: _Bench, name: str, votes: Sequence[Annotation], verdicts: Floats) -> dict[str, Any]:
    """All figures of one model that votes."""
    audit = audit_judge([vote.criteria for vote in votes])
    return _row(bench, name, "+".join(sorted({vote.kind for vote in votes})), len(votes), verdicts) | {
        "swap_consistency": audit["swap_consistency"],
        "retest_flip_rate": audit["retest_flip_rate"],
        "position": position_figures(columns_of(votes), votes),
    }


def _silent(bench: _Bench, said: ModelVotes, voting: Sequence[str], room: int) -> list[dict[str, Any]]:
    """Scorers without votes of their own, by the side they put first."""
    quiet = [scorer for scorer in said.scorers if not any(_same_source(scorer, name) for name in voting)]
    missing = figure(None, None, 0, "a score has no order to exchange")
    return [
        _row(bench, scorer, "score", 0, np.sign(said.margins[:, said.scorers.index(scorer)]))
        | {"swap_consistency": missing, "retest_flip_rate": missing, "position": {"first_side": missing}}
        for scorer in quiet[: max(room, 0)]
    ]


def _same_source(scorer: str, annotator: str) -> bool:
    """Whether the scores are those an annotator votes by: their names differ by `scorer:`, criterion and revision."""
    name = scorer.partition("@")[0]
    return name == annotator or name.startswith(f"{annotator}/") or annotator.endswith(f":{name}")


def _row(bench: _Bench, name: str, kind: str, votes: int, verdicts: Floats) -> dict[str, Any]:
    rows, weights = np.array(bench.sample.rows, dtype=np.int64), bench.sample.weights
    here = np.isfinite(verdicts[rows])
    rows, weights = rows[here], weights[here]
    prompts = [bench.cases[row].comparison.prompt_id for row in rows.tolist()]
    truth, said = bench.people[rows], verdicts[rows]
    sided = (np.abs(truth) == 1) & (np.abs(said) == 1)
    why = bench.sample.reason or "people and the model never both named a side"
    sided_prompts = [prompt for prompt, kept in zip(prompts, sided.tolist(), strict=True) if kept]
    accuracy = weighted_share((truth == said)[sided], weights[sided], sided_prompts, seed=bench.seed, reason=why)
    enough = accuracy["n"] >= MIN_LABELS
    reason = "" if enough else bench.sample.reason or f"{accuracy['n']} verdicts beside people's; {MIN_LABELS} needed"
    weight = vote_weight(accuracy["value"], bench.person) if enough else None
    return {
        "name": name,
        "kind": kind,
        "votes": votes,
        "state": "evaluated" if enough else "not_evaluated",
        "reason": reason,
        "accuracy": accuracy,
        "accuracy_with_ties": weighted_share(truth == said, weights, prompts, seed=bench.seed, reason=why),
        "kappa": weighted_kappa(_classes(said), _classes(truth), weights, prompts, seed=bench.seed),
        "better_than_chance": _beyond(accuracy) if enough else None,
        "labels_to_halve": labels_to_halve(accuracy["n"]) if enough else None,
        "measured_weight": weight,
        "withheld": weight == 0.0,
        "length": _length(bench, verdicts),
        "family": _family(bench, name, verdicts),
        "style_explained": _style(bench, verdicts),
        "alt_test": [alt_test(bench.voters, _said(bench, verdicts), epsilon=epsilon) for epsilon in EPSILONS],
    }


def _beyond(accuracy: Mapping[str, Any]) -> bool:
    """Whether the whole interval lies above one half."""
    return accuracy["interval"] is not None and accuracy["interval"][0] > 1 / 2


def _classes(signs: Floats) -> list[int]:
    return [_CLASSES[_NAMES[sign]] for sign in signs.tolist()]


def _said(bench: _Bench, verdicts: Floats) -> dict[str, str]:
    """The model's label on each comparison, by id; the alt-test needs no weights, so it takes all that people share."""
    return {
        case.id: _NAMES[sign] for case, sign in zip(bench.cases, verdicts.tolist(), strict=True) if np.isfinite(sign)
    }


def _voters(cases: Sequence[Case]) -> dict[str, dict[str, str]]:
    """What each person said about each comparison."""
    found: dict[str, dict[str, str]] = {}
    for case in cases:
        for vote in case.votes:
            if vote.kind == "human" and vote.label in SIGNS:
                found.setdefault(vote.annotator, {})[case.id] = _NAMES[SIGNS[vote.label]]
    return found


def _length(bench: _Bench, verdicts: Floats) -> dict[str, Any]:
    """How often the longer response wins; its `bias` is that against people on the same comparisons."""
    rows = _with_texts(bench, verdicts)
    sides = [[len(response_text(side)) for side in (bench.cases[row].a, bench.cases[row].b)] for row in rows]
    lengths = np.array(sides, dtype=np.float64).reshape(-1, 2)
    found: dict[str, Any] = length_figures(
        lengths[:, 0], lengths[:, 1], verdicts[rows], seed=bench.seed, reference=bench.people[rows]
    )["longer_wins"]
    return found


def _family(bench: _Bench, name: str, verdicts: Floats) -> dict[str, Any]:
    rows = _with_texts(bench, verdicts)
    families = [[family_of(side) for side in (bench.cases[row].a, bench.cases[row].b)] for row in rows]
    ours, theirs = ([pair[side] for pair in families] for side in (0, 1))
    return self_preference(family(name), ours, theirs, verdicts[rows], seed=bench.seed, reference=bench.people[rows])


def _style(bench: _Bench, verdicts: Floats) -> dict[str, Any]:
    """On all verdicts of the model, since this needs no labels by people."""
    rows = [row for row in _with_texts(bench, verdicts) if abs(verdicts[row]) == 1][:_MAX_STYLE]
    differences = [_features(bench, row, "a") - _features(bench, row, "b") for row in rows]
    prompts = [bench.cases[row].comparison.prompt_id for row in rows]
    matrix = np.array(differences, dtype=np.float64).reshape(-1, len(FEATURES))
    return style_explained(matrix, verdicts[rows], prompts, seed=bench.seed)


def _features(bench: _Bench, row: int, side: str) -> Vector:
    case = bench.cases[row]
    candidate = case.a if side == "a" else case.b
    name = "" if candidate is None else candidate.id
    if name not in bench.features:
        prompt = "" if case.prompt is None else case.prompt.text
        bench.features[name] = surface_features(prompt, response_text(candidate))
    return bench.features[name]


def _with_texts(bench: _Bench, verdicts: Floats) -> list[int]:
    return [
        row
        for row, case in enumerate(bench.cases)
        if case.a is not None and case.b is not None and np.isfinite(verdicts[row])
    ]
