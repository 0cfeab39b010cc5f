"""The verifier votes by checking: labels that are right by construction, for prompts that carry checks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from pairsmith.engine import available_cores
from pairsmith.errors import ConfigError, ModelError
from pairsmith.measures.checks import CheckResult, degenerate, response_score, run_check, validate_check
from pairsmith.models.sandbox import Limits, code_of, isolation_problem, run_tests
from pairsmith.records import Annotation, Candidate, Check, Comparison, Label, Prompt, Score

__all__ = ["SANDBOXES", "Sandbox", "Verifier"]

Sandbox = Literal["isolated", "limits"]
SANDBOXES: Final[tuple[Sandbox, ...]] = get_args(Sandbox)
UNIT_TESTS: Final = "unit_tests"

_SAME: Final = 1e-9  # sums of partial credits that are equal on paper differ in the last bit


class Verifier:
    """Runs every check of a prompt on both responses; the response that meets more of them wins.

    Equal scores are a tie, or `both_bad` where neither response passes any check. The strength of a vote is the
    difference of the two scores, each the mean credit over the prompt's checks in [0, 1].
    """

    guideline: str = ""

    def __init__(self, name: str = "verifier", sandbox: Sandbox = "isolated") -> None:
        """A verifier.

        Args:
            name: name in the records.
            sandbox: where `unit_tests` run: `isolated`, or `limits` where the system cannot isolate (see `sandbox`).
        """
        self.name = name
        self._sandbox = sandbox
        self._children = asyncio.Semaphore(available_cores())

    def isolation_problem(self) -> str:
        """Why code cannot be isolated here; empty if it can."""
        return isolation_problem()

    def wants(self, prompt: Prompt) -> bool:
        """Whether the prompt carries checks."""
        return bool(prompt.checks)

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """One vote and two scores on the scale [0, 1].

        Raises:
            ModelError: if the prompt names a check that does not exist, or gives it arguments it does not take.
            ConfigError: code cannot be isolated here, and `sandbox` asks for it.
        """
        results_a, results_b = await self._run(prompt, a), await self._run(prompt, b)
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

    async def _run(self, prompt: Prompt, candidate: Candidate) -> list[CheckResult]:
        results = []
        for check in prompt.checks:
            try:
                if check.kind == UNIT_TESTS:
                    results.append(await self._run_code(check.args, candidate.text))
                else:
                    results.append(run_check(check.kind, check.args, candidate.text))
            except ConfigError:
                raise
            except ValueError as error:
                raise ModelError(f"prompt {prompt.id}: check {check.kind!r} cannot be run: {error}") from error
        return results

    async def _run_code(self, args: Mapping[str, Any], response: str) -> CheckResult:
        """The score is the share of the tests that pass; the detail names the first that does not."""
        validate_check(UNIT_TESTS, args)
        reason = degenerate(response)
        if reason:
            return CheckResult(False, 0.0, reason)
        isolated = self._sandbox == "isolated"
        async with self._children:
            problem = await asyncio.to_thread(self.isolation_problem) if isolated else ""
            if problem:
                raise ConfigError(
                    f"annotate.annotators: {self.name} would run code of responses, and {problem}; run on a Linux with "
                    "user namespaces, or accept that the code has your network and files: `options: {sandbox: limits}`"
                )
            usual = Limits()
            limits = Limits(args.get("seconds", usual.seconds), args.get("memory_mib", usual.memory_mib))
            code = "\n".join((args.get("setup", ""), code_of(response)))
            failures = await asyncio.to_thread(run_tests, code, args["tests"], limits, isolated=isolated)
        failed = [(test, failure) for test, failure in zip(args["tests"], failures, strict=True) if failure]
        passed = len(failures) - len(failed)
        detail = f"{passed} of {len(failures)} tests pass"
        if failed:
            detail += f"; {failed[0][0].strip()[:80]!r}: {failed[0][1]}"
        return CheckResult(not failed, passed / len(failures), detail)


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
