"""Fits the demonstration scorer `surface-v0` on human votes and writes its coefficients and figures as JSON.

    python scripts/fit_surface_scorer.py DATA_DIR --date 2026-01-31

Trained on the majority votes of PandaLM's test set (Apache-2.0); measured by cross-validation with whole instructions
held out, and on two other sets of human labels. Coefficients and figures are written, no text of the data.
"""

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pairsmith.measures.calibration import (
    expected_calibration_error,
    fit_pairwise_logistic,
    fit_temperature,
    grouped_folds,
    log_loss,
    sigmoid,
)
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, share_figure
from pairsmith.measures.surface import FEATURES, surface_features

OUTPUT = Path(__file__).parents[1] / "src" / "pairsmith" / "models" / "surface_v0.json"
L2 = 3.0
FOLDS = 5
SEED = 0
KEPT_FROM = 0.6

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Item:
    """Two responses to one prompt and which of them people preferred."""

    group: str
    prompt: str
    first: str
    second: str
    first_wins: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Items as numbers: features of both sides (n, d), outcomes (n,), length difference in characters (n,)."""

    first: Array
    second: Array
    first_wins: Array
    longer: Array
    groups: tuple[str, ...]

    @classmethod
    def of(cls, items: Sequence[Item]) -> "Table":
        """The features of all items."""
        return cls(
            np.array([surface_features(item.prompt, item.first) for item in items]),
            np.array([surface_features(item.prompt, item.second) for item in items]),
            np.array([float(item.first_wins) for item in items]),
            np.array([float(np.sign(len(item.first) - len(item.second))) for item in items]),
            tuple(item.group for item in items),
        )


def pandalm(data: Path) -> list[Item]:
    """Decided majorities of three annotators (0 is a tie)."""
    items = []
    for row in json.loads((data / "preferences/pandalm/testset-v1.json").read_text(encoding="utf-8")):
        votes = Counter(row[f"annotator{number}"] for number in (1, 2, 3))
        label, count = votes.most_common(1)[0]
        texts = (row["response1"], row["response2"])
        if count < 2 or label not in (1, 2) or not all(isinstance(text, str) for text in texts):
            continue
        prompt = f"{row['instruction']}\n\n{row['input']}".strip()
        items.append(Item(row["instruction"], prompt, *texts, label == 1))
    return items


def llmbar_natural(data: Path) -> list[Item]:
    """LLMBar Natural: one of the two outputs is objectively better."""
    rows = json.loads((data / "preferences/llmbar/Natural/dataset.json").read_text(encoding="utf-8"))
    return [Item(row["input"], row["input"], row["output_1"], row["output_2"], row["label"] == 1) for row in rows]


def mt_bench(data: Path) -> list[Item]:
    """MT-Bench: (question, turn, pair of models) with a strict majority for one model; ties count as votes."""
    votes: dict[tuple[int, int, str, str], Counter[str]] = {}
    texts: dict[tuple[int, int, str], tuple[str, str]] = {}
    with gzip.open(data / "preferences/mt_bench/human_judgments_hf_schema.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            question, turn = row["question_id"], row["turn"]
            one, other = sorted((row["model_a"], row["model_b"]))
            winner = row["winner"] if row["winner"] == "tie" else row[row["winner"]]
            votes.setdefault((question, turn, one, other), Counter())[winner] += 1
            for side in ("a", "b"):
                turns = row[f"conversation_{side}"][: 2 * turn]
                asked = "\n\n".join(each["content"] for each in turns if each["role"] == "user")
                texts[question, turn, row[f"model_{side}"]] = (asked, turns[-1]["content"])
    items = []
    for (question, turn, one, other), counts in votes.items():
        winner, count = counts.most_common(1)[0]
        if winner != "tie" and 2 * count > counts.total():
            prompt, first = texts[question, turn, one]
            items.append(Item(str(question), prompt, first, texts[question, turn, other][1], winner == one))
    return items


def fit(table: Table) -> tuple[Array, Array, Array]:
    """Mean and scale of the features over all responses, and the weights of the standardised features."""
    both = np.concatenate([table.first, table.second])
    mean, scale = both.mean(axis=0), both.std(axis=0)
    scale[scale < 1e-9] = 1.0
    return mean, scale, fit_pairwise_logistic((table.first - table.second) / scale, table.first_wins, l2=L2)


def part(table: Table, rows: Sequence[int]) -> Table:
    """Some of the rows."""
    index = np.array(rows)
    groups = tuple(table.groups[row] for row in rows)
    return Table(table.first[index], table.second[index], table.first_wins[index], table.longer[index], groups)


def held_out_logits(table: Table) -> Array:
    """For every item the logit of a model that never saw its instruction."""
    logits = np.zeros(len(table.first_wins))
    for train, held in grouped_folds(table.groups, FOLDS, seed=SEED):
        _, scale, weights = fit(part(table, train))
        logits[held] = ((table.first - table.second)[held] / scale) @ weights
    return logits


def held_out_temperatures(table: Table) -> Array:
    """For every item a temperature fitted without its instruction (cross-validation inside each training part)."""
    temperatures = np.ones(len(table.first_wins))
    for train, held in grouped_folds(table.groups, FOLDS, seed=SEED):
        inner = part(table, train)
        temperatures[held] = fit_temperature(held_out_logits(inner), inner.first_wins)
    return temperatures


def hits(direction: Array, table: Table) -> Array:
    """1 where the sign names the winner, 0 where not, one half where it names nobody."""
    verdict: Array = 0.5 + 0.5 * np.sign(direction) * (2 * table.first_wins - 1)
    return verdict


def share(values: Array) -> dict[str, Any]:
    """A mean of hits with its Wilson interval."""
    return share_figure(float(values.sum()), len(values), "no items")


def figures(logits: Array, table: Table) -> dict[str, Any]:
    """Accuracy of the scorer, of "longer wins" and of a coin on the same items."""
    right = hits(logits, table)
    chose_longer = table.longer * (2 * table.first_wins - 1)
    coin = np.random.default_rng(SEED).choice([-1.0, 1.0], len(right))
    gain = right - hits(table.longer, table)
    return {
        "accuracy": share(right),
        # items of one group stand or fall together: unlike Wilson's, this interval draws whole groups
        "gain_over_longer_wins": figure(
            float(gain.mean()), cluster_bootstrap_mean(gain, np.array(table.groups), seed=SEED), len(gain)
        ),
        "longer_wins": share(hits(table.longer, table)),
        "coin": share(hits(coin, table)),
        "length_balanced": float((right[chose_longer > 0].mean() + right[chose_longer < 0].mean()) / 2),
        "people_chose_longer": float((chose_longer > 0).mean()),
    }


def cross_validated(table: Table) -> dict[str, Any]:
    """All figures on PandaLM, each from models and temperatures that never saw the item's instruction."""
    logits, temperatures = held_out_logits(table), held_out_temperatures(table)
    raw, scaled = sigmoid(logits), sigmoid(logits / temperatures)
    kept = np.maximum(scaled, 1 - scaled) >= KEPT_FROM
    return {
        **figures(logits, table),
        "instructions": len(set(table.groups)),
        "ece": {
            "raw": expected_calibration_error(raw, table.first_wins),
            "temperature": expected_calibration_error(scaled, table.first_wins),
        },
        "log_loss": {"raw": log_loss(raw, table.first_wins), "temperature": log_loss(scaled, table.first_wins)},
        "kept_from_0.6": {"share": float(kept.mean()), **share(hits(logits, table)[kept])},
    }


def report(name: str, result: Mapping[str, Any]) -> None:
    """One line a person can read."""

    def shown(figure: Mapping[str, Any]) -> str:
        low, high = figure["interval"]
        return f"{figure['value']:.1%} [{low:.1%}-{high:.1%}]"

    print(f"{name}, n={result['accuracy']['n']}: surface {shown(result['accuracy'])}")
    print(f"  longer wins {shown(result['longer_wins'])}, coin {shown(result['coin'])}")
    print(f"  gain over longer wins {shown(result['gain_over_longer_wins'])}, groups of items drawn together")
    print(f"  length-balanced {result['length_balanced']:.1%}, people chose longer {result['people_chose_longer']:.1%}")


def main() -> None:
    """Fit, measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder that holds preferences/pandalm, llmbar and mt_bench")
    arguments.add_argument("--date", required=True, help="date written into the file, YYYY-MM-DD")
    arguments.add_argument("--output", type=Path, default=OUTPUT)
    given = arguments.parse_args()

    table = Table.of(pandalm(given.data))
    measured = cross_validated(table)
    mean, scale, weights = fit(table)
    temperature = fit_temperature(held_out_logits(table), table.first_wins)
    report(f"PandaLM, {FOLDS}-fold over {measured['instructions']} instructions", measured)
    print(f"  ECE {measured['ece']}, log-loss {measured['log_loss']}, kept from p 0.6: {measured['kept_from_0.6']}")
    transfer = {}
    for name, items in (("llmbar_natural", llmbar_natural(given.data)), ("mt_bench_majority", mt_bench(given.data))):
        other = Table.of(items)
        transfer[name] = figures(((other.first - other.second) / scale) @ weights, other)
        report(f"transfer to {name}", transfer[name])

    document = {
        "name": "surface-v0",
        "demonstration": True,
        "date": given.date,
        "data": "PandaLM testset-v1, majority of three annotators, ties left out",
        "data_source": "https://github.com/WeOpenML/PandaLM",
        "data_licence": "Apache-2.0",
        "method": f"Bradley-Terry regression on feature differences, no intercept, l2={L2}; temperature by log-loss",
        "features": list(FEATURES),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "weights": weights.tolist(),
        "temperature": temperature,
        "measured": measured,
        "transfer": transfer,
    }
    given.output.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {given.output}")


if __name__ == "__main__":
    main()
