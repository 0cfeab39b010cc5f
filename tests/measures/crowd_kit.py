"""Aggregators of crowd-kit as witnesses.

`crowdkit.aggregation` imports all of its parts at once, and those for texts and images need nltk, scikit-learn and
tqdm. Empty packages in place of the two collective ones let its modules be imported one by one.
"""

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsmith.measures.vote_table import VoteTable

__all__ = ["dawid_skene_of_crowd_kit", "majority_of_crowd_kit", "one_coin_of_crowd_kit"]

Floats = NDArray[np.float64]


def _module(name: str) -> Any:
    root = importlib.util.find_spec("crowdkit")
    assert root is not None
    assert root.submodule_search_locations
    folder = Path(root.submodule_search_locations[0]) / "aggregation"
    for package, path in (("aggregation", folder), ("aggregation.classification", folder / "classification")):
        full = f"crowdkit.{package}"
        if full not in sys.modules:
            sys.modules[full] = types.ModuleType(full)
            sys.modules[full].__path__ = [str(path)]  # a package, as far as imports of its modules care
    return importlib.import_module(f"crowdkit.aggregation.classification.{name}")


def _answers(table: VoteTable) -> pd.DataFrame:
    return pd.DataFrame({"task": table.items, "worker": table.raters, "label": table.labels})


def dawid_skene_of_crowd_kit(table: VoteTable, *, rounds: int = 100, tolerance: float = 1e-9) -> Floats:
    """Probability of each class, shape (items, classes), by maximum likelihood with estimated classes."""
    fitted = _module("dawid_skene").DawidSkene(n_iter=rounds, tol=tolerance).fit(_answers(table))
    return _dense(fitted.probas_, table)


def one_coin_of_crowd_kit(table: VoteTable, *, rounds: int = 100, tolerance: float = 1e-9) -> Floats:
    """The same with one accuracy per rater."""
    fitted = _module("dawid_skene").OneCoinDawidSkene(n_iter=rounds, tol=tolerance).fit(_answers(table))
    return _dense(fitted.probas_, table)


def majority_of_crowd_kit(table: VoteTable) -> Floats:
    """Share of the votes of each class, shape (items, classes)."""
    return _dense(_module("majority_vote").MajorityVote().fit(_answers(table)).probas_, table)


def _dense(found: pd.DataFrame, table: VoteTable) -> Floats:
    columns = range(int(table.labels.max()) + 1)
    dense: Floats = found.reindex(index=range(int(table.items.max()) + 1), columns=columns, fill_value=0.0).to_numpy(
        np.float64
    )
    return dense
