"""How much of an annotator's verdicts a head that sees only the surface of the responses can reproduce.

A judge that can be predicted from length, lists and bold type looks at length, lists and bold type, whatever it says
it weighs. The head is a Bradley-Terry regression on `surface_features`, tested on prompts it was not fitted to.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.calibration import Matrix, fit_pairwise_logistic, grouped_folds
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, wilson
from pairsmith.measures.surface import FEATURES

__all__ = ["MIN_VERDICTS", "STYLE_BAR", "style_explained"]

MIN_VERDICTS: Final = 50
"""With fewer verdicts for a side the head learns nothing that could be told from luck."""

STYLE_BAR: Final = 0.9
"""Who is reproduced more often than this, beyond doubt, judges by style."""

_FOLDS = 5
_RIDGE = 1.0
_LENGTH = FEATURES.index("log_characters")


def style_explained(differences: ArrayLike, verdicts: ArrayLike, groups: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Share of verdicts that the head, and that length alone, gets right on prompts it did not see.

    Args:
        differences: surface features of `a` less those of `b`, shape (n, features).
        verdicts: 1 for `a`, -1 for `b`; others are left out. Shape (n,).
        groups: prompt of each.
        seed: of folds and intervals.

    Returns:
        A figure (a share in [0, 1]; 0.5 is a coin) with the extra keys `length_alone`, the share that length alone
        reproduces in the same folds, and `judges_by_style`: whether the interval lies above `STYLE_BAR`.
    """
    said = np.asarray(verdicts, dtype=np.float64)
    kept = np.flatnonzero(np.abs(said) == 1)
    x, won = np.asarray(differences, dtype=np.float64)[kept], said[kept]
    prompts = [groups[place] for place in kept.tolist()]
    if won.size < MIN_VERDICTS or len(set(prompts)) < _FOLDS:
        why = f"{won.size} verdicts for a side on {len(set(prompts))} prompts; {MIN_VERDICTS} on {_FOLDS} are needed"
        return figure(None, None, won.size, why, length_alone=None, judges_by_style=None)
    hits, by_length = np.zeros(won.size), np.zeros(won.size)
    for seen, held in grouped_folds(prompts, _FOLDS, seed=seed):
        hits[held] = _hits(x[seen], won[seen], x[held], won[held])
        by_length[held] = _hits(x[seen][:, [_LENGTH]], won[seen], x[held][:, [_LENGTH]], won[held])
    share = float(hits.mean())
    interval = cluster_bootstrap_mean(hits, prompts, seed=seed)
    if interval is None or interval[0] == interval[1]:
        interval = wilson(float(hits.sum()), hits.size)
    by_style = interval is not None and interval[0] > STYLE_BAR
    return figure(share, interval, hits.size, length_alone=float(by_length.mean()), judges_by_style=by_style)


def _hits(seen: Matrix, won: Matrix, held: Matrix, truth: Matrix) -> Matrix:
    """1 where the head names the winner, 0 where the loser, 0.5 where it cannot tell."""
    scale = np.sqrt((seen**2).mean(axis=0))
    scale[scale == 0] = 1.0
    w = fit_pairwise_logistic(seen / scale, (won + 1) / 2, l2=_RIDGE)
    guess = np.sign((held / scale) @ w)
    return np.where(guess == 0, 0.5, (guess == truth).astype(np.float64))
