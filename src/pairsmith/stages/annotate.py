"""Stage 3, annotate: decide which candidates are compared, and collect the votes that are still missing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from pairsmith.config import AnnotateConfig
from pairsmith.errors import ConfigError, ModelError, ModelUnavailable
from pairsmith.ids import seed_for
from pairsmith.ledger import Appended, Committer, Ledger, lease
from pairsmith.models.protocols import Annotator
from pairsmith.records import Annotation, Candidate, Comparison, Fact, Progress, Prompt, Score
from pairsmith.stages.comparisons import draw_comparisons
from pairsmith.stages.tallies import Tally

__all__ = ["annotate"]

STAGE: Final = "annotate"
_YIELD_EVERY: Final = 64  # votes that cost no waiting still let Ctrl-C and other annotators in


async def annotate(
    cfg: AnnotateConfig,
    ledger: Ledger,
    annotators: Sequence[Annotator],
    *,
    seed: int,
    concurrency: int = 16,
    notify: Callable[[int, int], None] | None = None,
) -> Progress:
    """Add the comparisons that the candidates call for, then every vote that is wanted and not there.

    Args:
        cfg: which comparisons, and how many annotators for each.
        ledger: where candidates are read and comparisons, votes and scores are appended.
        annotators: who votes; their names must differ.
        seed: the project's seed; decides which comparisons and annotators are drawn.
        concurrency: votes of one annotator that may be under way at once.
        notify: called with the number of votes done and wanted.

    Raises:
        ConfigError: two annotators have one name.
        LeaseHeld: another process is annotating this project.
        ModelUnavailable: a model went away; everything answered until then is stored.
    """
    _check_names(annotators)
    with lease(ledger, STAGE):
        facts = _Facts.read(ledger)
        drawn, left_out = draw_comparisons(cfg, facts.candidates.values(), facts.comparisons, seed=seed)
        ledger.append(drawn)
        comparisons = (*facts.comparisons, *drawn)
        tallies = _plan(cfg, facts, comparisons, annotators, ledger.ids(Annotation), seed)
        _recall(ledger, tallies, {comparison.id for comparison in drawn})
        await _collect(ledger, facts, tallies, concurrency, notify)
    return _progress(tallies, {"present": len(facts.comparisons), "new": len(drawn), **left_out})


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the ledger holds at the start."""

    prompts: Mapping[str, Prompt]
    candidates: Mapping[str, Candidate]
    comparisons: tuple[Comparison, ...]

    @classmethod
    def read(cls, ledger: Ledger) -> "_Facts":
        return cls(
            {prompt.id: prompt for prompt in ledger.read(Prompt)},
            {candidate.id: candidate for candidate in ledger.read(Candidate)},
            tuple(ledger.read(Comparison)),
        )

    def complete(self, comparison: Comparison) -> bool:
        """Whether prompt and both candidates are known."""
        known = self.candidates
        return comparison.prompt_id in self.prompts and comparison.a in known and comparison.b in known


def _check_names(annotators: Sequence[Annotator]) -> None:
    for name, times in Counter(annotator.name for annotator in annotators).items():
        if times > 1:
            raise ConfigError(f"annotate.annotators: {times} annotators are called {name!r}; give each its own `name`")


def _plan(
    cfg: AnnotateConfig,
    facts: _Facts,
    comparisons: Iterable[Comparison],
    annotators: Sequence[Annotator],
    present: set[str],
    seed: int,
) -> list[Tally]:
    """For every annotator, which votes are there and which are missing."""
    tallies = [Tally(annotator) for annotator in annotators]
    for comparison in filter(facts.complete, comparisons):
        prompt = facts.prompts[comparison.prompt_id]
        willing = [tally for tally in tallies if tally.annotator.wants(prompt)]
        if 0 < cfg.overlap < len(willing):
            willing.sort(key=lambda tally: seed_for(seed, STAGE, f"{comparison.id}:{tally.annotator.name}"))
            willing = willing[: cfg.overlap]
        for tally in willing:
            asked = Annotation.asked_id(comparison.id, tally.annotator.name, tally.annotator.guideline)
            tally.want(comparison, present=asked in present)
    return tallies


def _recall(ledger: Ledger, tallies: Sequence[Tally], new: Container[str]) -> None:
    """Show judges their record and scorers their scores, so that nothing is paid for twice or in vain."""
    audited = [tally for tally in tallies if getattr(tally.annotator, "audited", False)]
    votes = list(ledger.read(Annotation)) if audited else []
    for tally in audited:
        tally.recall(votes, new)
    recalls = [recall for tally in tallies if (recall := getattr(tally.annotator, "recall", None)) is not None]
    scores = list(ledger.read(Score)) if recalls else []
    for recall in recalls:
        recall(scores)


@dataclass(slots=True)
class _Run:
    """What the workers of a run share."""

    facts: _Facts
    committer: Committer
    notify: Callable[[int, int], None]
    wanted: int
    done: int
    unavailable: ModelUnavailable | None = None


async def _collect(
    ledger: Ledger,
    facts: _Facts,
    tallies: Sequence[Tally],
    concurrency: int,
    notify: Callable[[int, int], None] | None,
) -> None:
    present, wanted = sum(tally.present for tally in tallies), sum(tally.wanted for tally in tallies)
    with ledger.committer() as committer:
        run = _Run(facts, committer, notify or (lambda *_: None), wanted, present)
        run.notify(run.done, run.wanted)
        tasks = [
            asyncio.create_task(_work(run, tally, queue, tallies))
            for tally, queue in ((tally, iter(tally.missing)) for tally in tallies if not tally.refused)
            for _ in range(min(concurrency, len(tally.missing)))
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    if run.unavailable is not None:
        raise run.unavailable


async def _work(run: _Run, tally: Tally, queue: Iterator[Comparison], tallies: Sequence[Tally]) -> None:
    """Take comparisons from the queue of one annotator, shared with its other workers, until it is empty."""
    stored: Future[Appended] | None = None
    for comparison in queue:
        if not await tally.may_ask(comparison):
            return
        try:
            votes, facts = await _vote(run.facts, tally.annotator, comparison)
        except ModelUnavailable as error:
            run.unavailable = error
            for each in tallies:
                each.close()
        except ModelError as error:
            tally.fail(comparison, str(error))
        else:
            before, stored = stored, run.committer.add(*facts)
            await run.committer.durable(before)  # never more than one on its way to the disk: they are paid for
            tally.count(comparison, votes)
        if run.unavailable is not None:
            return
        run.done += 1
        run.notify(run.done, run.wanted)
        if run.done % _YIELD_EVERY == 0:
            await asyncio.sleep(0)


async def _vote(
    facts: _Facts, annotator: Annotator, comparison: Comparison
) -> tuple[Sequence[Annotation], tuple[Fact, ...]]:
    """The votes of one annotator on one comparison, and all facts to store."""
    votes, scores = await annotator.annotate(
        facts.prompts[comparison.prompt_id],
        comparison,
        facts.candidates[comparison.a],
        facts.candidates[comparison.b],
    )
    # Without this very id the question would count as open, and be paid for, on every later run.
    if Annotation.asked_id(comparison.id, annotator.name, annotator.guideline) not in {vote.id for vote in votes}:
        raise ModelError(
            f"{annotator.name}: returned no vote on {comparison.id} under its own name and guideline, revision 0"
        )
    return votes, (*votes, *scores)


def _progress(tallies: Sequence[Tally], comparisons: Mapping[str, int]) -> Progress:
    notes = [note for tally in tallies for note in tally.notes()]
    if not tallies:
        notes.append("annotate.annotators is empty: only votes that came with a source count")
    if comparisons["not_drawn"]:
        notes.append(
            f"{comparisons['not_drawn']} possible comparisons were not drawn (annotate.max_per_prompt); "
            "raise it to add them"
        )
    described = {
        tally.annotator.name: dict(describe())
        for tally in tallies
        if (describe := getattr(tally.annotator, "describe", None)) is not None
    }
    return Progress(
        STAGE,
        wanted=sum(tally.wanted for tally in tallies),
        present=sum(tally.present for tally in tallies),
        new=sum(tally.new for tally in tallies),
        failed=sum(tally.failed for tally in tallies),
        notes=tuple(notes),
        details={
            "comparisons": dict(comparisons),
            "annotators": {tally.annotator.name: tally.details() for tally in tallies},
            "scorers": described,
        },
    )
