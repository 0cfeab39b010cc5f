"""The verifier votes by checking: labels that are right by construction, for prompts that carry checks."""

from collections.abc import Mapping, Sequence
from typing import Final

from pairsmith.errors import ModelError
from pairsmith.measures.checks import CheckResult, response_score, run_check
from pairsmith.records import Annotation, Candidate, Check, Comparison, Label, Prompt, Score

__all__ = ["Verifier"]


_SAME: Final = 1e-9  # sums of partial credits that are equal on paper differ in the last bit


class Verifier:
    """Runs every check of a prompt on both responses; the response that meets more of them wins.

    Equal scores are a tie, or `both_bad` where neither response passes any check. The strength of a vote is the
    difference of the two scores, each the mean credit over the prompt's checks in [0, 1].
    """

    guideline: str = ""

    def __init__(self, name: str = "verifier") -> None:
        self.name = name

    def wants(self, prompt: Prompt) -> bool:
        """Whether the prompt carries checks."""
        return bool(prompt.checks)

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """One vote and two scores on the scale [0, 1].

        Raises:
            ModelError: if the prompt names a check that does not exist, or gives it arguments it does not take.
        """
        results_a, results_b = _run(prompt, a), _run(prompt, b)
        score_a, score_b = response_score(results_a), response_score(results_b)
        vote = Annotation.of(
            comparison.id,
            self.name,
            "verifier",
            _label(score_a, score_b, any(result.passed for result in (*results_a, *results_b))),
            strength=abs(score_a - score_b),
            criteria={"a": _summary(prompt.checks, results_a), "b": _summary(prompt.checks, results_b)},
            rationale=_rationale(prompt.checks, results_a, results_b),
        )
        return [vote], [Score.of(a.id, self.name, score_a, (0.0, 1.0)), Score.of(b.id, self.name, score_b, (0.0, 1.0))]


def _run(prompt: Prompt, candidate: Candidate) -> list[CheckResult]:
    results = []
    for check in prompt.checks:
        try:
            results.append(run_check(check.kind, check.args, candidate.text))
        except ValueError as error:
            raise ModelError(f"prompt {prompt.id}: check {check.kind!r} cannot be run: {error}") from error
    return results


def _label(score_a: float, score_b: float, anything_passed: bool) -> Label:
    if abs(score_a - score_b) > _SAME:
        return "a" if score_a > score_b else "b"
    return "tie" if anything_passed else "both_bad"


def _summary(checks: Sequence[Check], results: Sequence[CheckResult]) -> list[Mapping[str, object]]:
    return [
        {"check": check.kind, "passed": result.passed, "score": result.score}
        for check, result in zip(checks, results, strict=True)
    ]


def _rationale(checks: Sequence[Check], a: Sequence[CheckResult], b: Sequence[CheckResult]) -> str:
    """Which checks failed on which side, with what was seen; "all checks passed" where none did."""
    failures = [
        f"{side} fails {check.kind}: {result.detail}"
        for side, results in (("a", a), ("b", b))
        for check, result in zip(checks, results, strict=True)
        if not result.passed
    ]
    return "; ".join(failures) or "all checks passed"
