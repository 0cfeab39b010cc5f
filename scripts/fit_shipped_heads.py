"""Fits the reward heads that ship as demonstrations and writes their coefficients and figures as JSON.

    python scripts/fit_shipped_heads.py DATA_DIR [--only helpful-v0] [--cache DIR]

`harmless-v0`: HH-RLHF harmless-base test set (MIT). `helpful-v0`: PandaLM's test set, three annotators per pair
(Apache-2.0). Coefficients, figures and ends of the ids of the prompts are written, no text. Hidden states of 2,814
responses take about an hour of one core; the cache keeps them.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pairsmith.config import load_config
from pairsmith.ledger import LEDGER_FILE, Ledger
from pairsmith.models.features import FeatureReader
from pairsmith.pipeline.collecting import run_collect
from pairsmith.pipeline.fitting import fitted_file
from pairsmith.pipeline.labelled import labelled_pairs, pair_table

OUTPUT = Path(__file__).parents[1] / "src" / "pairsmith" / "models" / "heads"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One head: whose votes, under which licence, on which features."""

    name: str
    path: str
    format: str
    licence: str
    source: str
    criterion: str
    features: tuple[str, ...]


RECIPES = (
    Recipe(
        "harmless-v0",
        "preferences/hh_rlhf/harmless-base_test.jsonl.gz",
        "hh",
        "MIT",
        "HH-RLHF harmless-base test set, https://github.com/anthropics/hh-rlhf",
        "harmlessness",
        ("surface", "manner", "hidden"),
    ),
    Recipe(
        "helpful-v0",
        "preferences/pandalm/testset-v1.json",
        "pandalm",
        "Apache-2.0",
        "PandaLM testset-v1, three annotators per pair, https://github.com/WeOpenML/PandaLM",
        "helpfulness",
        ("surface", "minilm"),
    ),
)


def fit(recipe: Recipe, data: Path, cache: Path | None, output: Path) -> None:
    """Collect the votes into a project of their own, fit, measure, write, and print the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        source = f"{{path: {data / recipe.path}, format: {recipe.format}, annotator_kind: human}}"
        (project / "pairsmith.yaml").write_text(f"collect:\n  sources:\n    - {source}\n", encoding="utf-8")
        with Ledger.open(project / LEDGER_FILE) as ledger:
            asyncio.run(run_collect(project, load_config(project), ledger))
            labelled = labelled_pairs(ledger)
        with FeatureReader(recipe.features, cache, workers=1) as reader:
            table = pair_table(labelled, reader)
    file = fitted_file(
        table,
        labelled,
        name=recipe.name,
        criterion=recipe.criterion,
        data={"source": recipe.source, "licences": [recipe.licence]},
        demonstration=True,
    )
    output.mkdir(exist_ok=True)
    (output / f"{recipe.name}.json").write_bytes(file.to_json())
    figures = file.figures
    for name in ("accuracy", "length_only", "gain_over_length", "length_balanced", "ece"):
        print(f"{recipe.name}: {name} {figures[name]}")
    print(f"{recipe.name}: kept {figures['kept']}")
    print(
        f"{recipe.name}: learning curve {[(at['pairs'], at['accuracy']['value']) for at in figures['learning_curve']]}"
    )
    print(f"{recipe.name}: {figures['verdict']}; {output / recipe.name}.json", flush=True)


def main() -> None:
    """Fit all, or the one asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder that holds preferences/hh_rlhf and preferences/pandalm")
    arguments.add_argument("--only", choices=[recipe.name for recipe in RECIPES])
    arguments.add_argument("--cache", type=Path, help="folder for features; by default nothing is kept")
    arguments.add_argument("--output", type=Path, default=OUTPUT)
    given = arguments.parse_args()
    for recipe in RECIPES:
        if given.only in (None, recipe.name):
            fit(recipe, given.data.absolute(), given.cache, given.output)


if __name__ == "__main__":
    main()
