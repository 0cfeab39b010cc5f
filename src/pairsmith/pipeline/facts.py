"""What a build is made from: the facts up to one ledger position, and the evaluation files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pairsmith.config import ValidateConfig
from pairsmith.errors import UsageError
from pairsmith.formats.benchmarks import find_benchmarks, read_benchmark
from pairsmith.ledger import Ledger
from pairsmith.records import (
    AnchorDraw,
    Annotation,
    Benchmark,
    Candidate,
    Comparison,
    Intake,
    Prompt,
    Rejected,
    Ruling,
    Score,
)

__all__ = ["BENCHMARKS_FOLDER", "Facts", "read_benchmarks", "read_facts"]

BENCHMARKS_FOLDER = "benchmarks"


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts up to `position`; prompts in the order they arrived."""

    position: int
    prompts: tuple[Prompt, ...]
    candidates: Mapping[str, Candidate]
    comparisons: tuple[Comparison, ...]
    scores: tuple[Score, ...]
    annotations: tuple[Annotation, ...]
    rulings: tuple[Ruling, ...]
    intakes: tuple[Intake, ...]
    rejected: tuple[Rejected, ...]
    anchor: tuple[AnchorDraw, ...] = ()

    @property
    def last_intakes(self) -> tuple[Intake, ...]:
        """The last reading of each source: a file that grew was read again from its beginning."""
        return tuple({intake.source: intake for intake in self.intakes}.values())

    @property
    def last_rejected(self) -> tuple[Rejected, ...]:
        """The rows refused in those readings."""
        last = {(intake.source, intake.sha256) for intake in self.last_intakes}
        return tuple(each for each in self.rejected if (each.source, each.sha256) in last)


def read_facts(ledger: Ledger, as_of: int | None = None) -> Facts:
    """The facts up to `as_of`, by default all there are now.

    Raises:
        UsageError: if the ledger has not come that far.
    """
    now = ledger.position()
    if as_of is not None and not 0 <= as_of <= now:
        raise UsageError(f"--as-of {as_of}: the ledger {ledger.path} is at position {now}; give a number up to that")
    position = now if as_of is None else as_of
    return Facts(
        position=position,
        prompts=tuple(ledger.read(Prompt, position)),
        candidates={candidate.id: candidate for candidate in ledger.read(Candidate, position)},
        comparisons=tuple(ledger.read(Comparison, position)),
        scores=tuple(ledger.read(Score, position)),
        annotations=tuple(ledger.read(Annotation, position)),
        rulings=tuple(ledger.read(Ruling, position)),
        intakes=tuple(ledger.read(Intake, position)),
        rejected=tuple(ledger.read(Rejected, position)),
        anchor=tuple(ledger.read(AnchorDraw, position)),
    )


def read_benchmarks(cfg: ValidateConfig, project: Path) -> tuple[Benchmark, ...]:
    """The evaluation files named in the configuration, or else those in the `benchmarks/` folder.

    Raises:
        InputError: if one cannot be read or holds no items.
    """
    if cfg.benchmarks:
        paths = [project / name for name in cfg.benchmarks]
    else:
        folder = project / BENCHMARKS_FOLDER
        paths = find_benchmarks(folder) if folder.is_dir() else []
    return tuple(read_benchmark(path) for path in paths)
