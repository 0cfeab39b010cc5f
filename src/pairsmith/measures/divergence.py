"""What KL divergence between two models can be known from data: a bound for best-of-N, and log-ratio estimates."""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.intervals import cluster_bootstrap_mean, figure

__all__ = ["best_of_n_kl", "log_ratio_kl"]


def best_of_n_kl(n: int, mean_tokens: float | None = None) -> float:
    """Upper bound on KL(best of n || sampler): ln n - (n - 1) / n nats per sequence, or per token.

    It holds for i.i.d. samples of the reference sampler (its temperature and top-p included); arXiv 2401.01879.
    """
    if n < 1 or (mean_tokens is not None and not mean_tokens > 0):
        raise ValueError(f"best of {n} samples of {mean_tokens} tokens has no KL bound")
    bound = math.log(n) - (n - 1) / n
    return bound if mean_tokens is None else bound / mean_tokens


def log_ratio_kl(
    policy: ArrayLike,
    reference: ArrayLike,
    *,
    estimator: Literal["k1", "k3"] = "k3",
    sequences: ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """KL(policy || reference) in nats per token, from log-probabilities of tokens the *policy* sampled.

    k1 is the mean log ratio; k3 = r - 1 - log r with r = reference / policy is never negative and varies less
    (Schulman's estimators). Both are unbiased on samples of the policy, and meaningless on other texts.

    Args:
        policy: log-probabilities under the policy, shape (tokens,).
        reference: the same tokens under the reference.
        estimator: which of the two.
        sequences: the sequence each token belongs to; the interval draws whole sequences.
        seed: seed of the interval.
    """
    ratio = np.asarray(reference, dtype=np.float64) - np.asarray(policy, dtype=np.float64)
    if not ratio.size:
        return figure(None, None, 0, "no log-probabilities of policy samples", kind=f"log_ratio_{estimator}")
    values = -ratio if estimator == "k1" else np.expm1(ratio) - ratio
    interval = cluster_bootstrap_mean(values, sequences, seed=seed)
    return figure(float(values.mean()), interval, ratio.size, kind=f"log_ratio_{estimator}")
