"""What `annotate` counts about each annotator: its votes in this run, and whether a judge is to be asked at all."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pairsmith.measures.judge_audit import MIN_SWAP_CONSISTENCY, canary_fooled, detects_position
from pairsmith.models.protocols import Annotator
from pairsmith.records import Annotation, Comparison
from pairsmith.stages.guarding import Guard

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """One annotator's votes in this run, and its behaviour over the whole ledger."""

    annotator: Annotator
    places: dict[str, int] = field(default_factory=dict)
    missing: list[Comparison] = field(default_factory=list)
    guard: Guard | None = None
    present: int = 0
    new: int = 0
    failed: int = 0
    first_failure: str = ""
    labels: Counter[str] = field(default_factory=Counter)
    both_orders: int = 0
    orders_agree: int = 0
    canaries: int = 0
    fooled: Counter[str] = field(default_factory=Counter)
    demonstration: bool = False
    verdict: str = ""
    refused_at_start: bool = False

    def want(self, comparison: Comparison, *, present: bool) -> None:
        """Take in a comparison that it is to vote on, in their order, and whether it has voted."""
        self.places[comparison.id] = len(self.places)
        if present:
            self.present += 1
        else:
            self.missing.append(comparison)

    def recall(self, votes: Iterable[Annotation], new: Container[str]) -> None:
        """Take in its earlier votes under the same instructions, and set up the guard; for judges only.

        If nothing is missing but votes on comparisons that are `new`, an earlier run was finished, and what it came to
        decides: a judge that failed is not asked again. Else an interrupted run goes on as if it had not been.
        """
        self.guard = Guard(len(self.places))
        for vote in votes:
            if vote.annotator == self.annotator.name and vote.guideline == self.annotator.guideline:
                self._observe(vote)
                if vote.comparison_id in self.places:
                    self.guard.put(self.places[vote.comparison_id], vote.criteria)
        self.refused_at_start = all(each.id in new for each in self.missing) and (
            detects_position(self.orders_agree, self.both_orders) or bool(self.fooled)
        )

    async def may_ask(self, comparison: Comparison) -> bool:
        """Whether it is to be asked about this one now."""
        return self.guard is None or await self.guard.may_ask(self.places[comparison.id])

    def count(self, comparison: Comparison, votes: Iterable[Annotation]) -> None:
        """Take in what one comparison brought."""
        self.new += 1
        for vote in votes:
            self.labels[vote.label] += 1
            self.demonstration |= vote.criteria.get("demonstration") is True
            self.verdict = str(vote.criteria.get("verdict", ""))
            self._observe(vote)
            if self.guard is not None and not vote.revision:
                self.guard.put(self.places[comparison.id], vote.criteria)

    def fail(self, comparison: Comparison, reason: str) -> None:
        """Take in that one comparison brought no vote."""
        self.failed += 1
        self.first_failure = self.first_failure or reason
        if self.guard is not None:
            self.guard.put(self.places[comparison.id], {})

    def close(self) -> None:
        """The run is over: let nobody wait for the guard."""
        if self.guard is not None:
            self.guard.close()

    @property
    def refused(self) -> bool:
        """Whether asking on would be money for votes that no build will use."""
        return self.refused_at_start or (self.guard is not None and self.guard.stopped)

    @property
    def wanted(self) -> int:
        """Votes there are or should be; of a refused judge nothing more is wanted."""
        return self.present + (self.new + self.failed if self.refused else len(self.missing))

    def details(self) -> dict[str, Any]:
        """The figures, as plain values; `swap_consistency` and `canaries` are over the whole ledger."""
        figures: dict[str, Any] = {
            "wanted": self.wanted,
            "present": self.present,
            "new": self.new,
            "failed": self.failed,
            "labels": dict(sorted(self.labels.items())),
        }
        if self.both_orders:
            figures["swap_consistency"] = {"value": self.orders_agree / self.both_orders, "n": self.both_orders}
        if self.canaries:
            figures["canaries"] = {"asked": self.canaries, "fooled_by": dict(sorted(self.fooled.items()))}
        return figures

    def notes(self) -> Iterator[str]:
        """What a person must be told."""
        name = self.annotator.name
        if self.failed:
            yield (
                f"{name}: no usable verdict on {self.failed} of {self.failed + self.new} comparisons; they stay "
                f"without its vote and are asked again next time (first: {self.first_failure})"
            )
        if self.refused or self.fooled or detects_position(self.orders_agree, self.both_orders):
            yield (
                f"REFUSED: {name} {' and '.join(self._faults())}; its votes are withheld from every build and it is "
                "not asked again under these instructions; take a stronger judge"
            )
        if self.demonstration:
            yield f"{name}: a demonstration scorer; its gap alone never satisfies the gate"
        if self.verdict.startswith("no better"):
            yield f"{name}: {self.verdict} on the votes it was fitted on; its gap alone never satisfies the gate"

    def _faults(self) -> Iterator[str]:
        if detects_position(self.orders_agree, self.both_orders):
            yield (
                "is a position detector: asked again with the responses exchanged it kept its verdict on only "
                f"{self.orders_agree / self.both_orders:.0%} of {self.both_orders} comparisons (at least "
                f"{MIN_SWAP_CONSISTENCY:.0%} is needed)"
            )
        if self.fooled:
            probes = ", ".join(sorted(self.fooled))
            yield (
                f"preferred a planted text to a real response on {self.fooled.total()} of {self.canaries} canaries "
                f"({probes})"
            )

    def _observe(self, vote: Annotation) -> None:
        if "swap_consistent" in vote.criteria:
            self.both_orders += 1
            self.orders_agree += vote.criteria["swap_consistent"] is True
        canary = vote.criteria.get("canary")
        if canary:
            self.canaries += 1
            self.fooled[canary["probe"]] += canary_fooled(canary)
            self.fooled += Counter()  # drops the zeros
