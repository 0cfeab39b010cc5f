"""What builds derive from facts: resolutions, pairs, what was dropped, and the verdict of the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar, get_args

from pairsmith.ids import content_id
from pairsmith.records.facts import Candidate, Message, Prompt, Side

__all__ = [
    "LEVELS",
    "Benchmark",
    "Criterion",
    "Dropped",
    "GateReport",
    "Level",
    "Outcome",
    "PreferencePair",
    "Progress",
    "Resolution",
    "State",
]

Level = Literal["excellent", "good", "marginal", "poor", "not_evaluated"]
State = Literal["pass", "fail", "not_evaluated"]

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What many votes on one comparison come to.

    `agreement` is the share of the winning side among all votes, `None` with fewer than two votes. `gap` in [-1,
    1] is how much better the winner is, `None` where nothing measured it.
    """

    comparison_id: str
    prompt_id: str
    winner: Side
    agreement: float | None
    confidence: float | None
    gap: float | None
    gap_kind: str
    method: str
    votes: Mapping[str, int]
    annotation_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A row of the dataset with the ids of every fact behind it."""

    id: str
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    prompt_id: str
    comparison_id: str
    chosen_id: str
    rejected_id: str
    annotation_ids: tuple[str, ...] = ()
    gap: float | None = None
    gap_kind: str = "not_evaluated"
    agreement: float | None = None
    confidence: float | None = None
    votes: Mapping[str, int] = field(default_factory=dict)
    level: Level = "not_evaluated"
    category: str = ""
    difficulty: str = ""
    source: str = ""
    licence: str = ""
    chosen_model: str = ""
    rejected_model: str = ""
    part: str = ""

    @classmethod
    def of(cls, resolution: Resolution, prompt: Prompt, a: Candidate, b: Candidate) -> Self:
        """The pair a resolution decides; `a` and `b` are the candidates of its comparison in canonical order."""
        chosen, rejected = (a, b) if resolution.winner == "a" else (b, a)
        return cls(
            id=content_id("pair", [resolution.comparison_id, chosen.id]),
            prompt=prompt.messages,
            chosen=chosen.completion,
            rejected=rejected.completion,
            prompt_id=prompt.id,
            comparison_id=resolution.comparison_id,
            chosen_id=chosen.id,
            rejected_id=rejected.id,
            annotation_ids=resolution.annotation_ids,
            gap=resolution.gap,
            gap_kind=resolution.gap_kind,
            agreement=resolution.agreement,
            confidence=resolution.confidence,
            votes=resolution.votes,
            category=prompt.category,
            difficulty=prompt.difficulty,
            source=prompt.source,
            licence=prompt.licence,
            chosen_model=chosen.model,
            rejected_model=rejected.model,
        )

    @property
    def prompt_text(self) -> str:
        """All turns of the prompt as one text."""
        return "\n\n".join(message.content for message in self.prompt)

    @property
    def chosen_text(self) -> str:
        """All turns of the chosen completion as one text."""
        return "\n\n".join(message.content for message in self.chosen)

    @property
    def rejected_text(self) -> str:
        """All turns of the rejected completion as one text."""
        return "\n\n".join(message.content for message in self.rejected)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An evaluation set to keep out of the data: its items as texts, and the fields they were read from."""

    name: str
    sha256: str
    items: tuple[str, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something a deriving stage left out: its id, a documented reason code, and the evidence."""

    id: str
    stage: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Kept]):
    """What every deriving stage returns: kept + dropped = input, and the figures."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """What every collecting stage returns: how much was wanted, was there before, is new, or could not be had."""

    stage: str
    wanted: int
    present: int
    new: int
    failed: int = 0
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of the gate. `not_evaluated` never passes."""

    name: str
    value: float | int | bool | None
    threshold: float | int | bool
    state: State
    remedy: str
    interval: tuple[float, float] | None = None
    n: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GateReport:
    """The verdict: passed only if every criterion passed."""

    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        """True if there is at least one criterion and all of them passed."""
        return bool(self.criteria) and all(criterion.state == "pass" for criterion in self.criteria)
