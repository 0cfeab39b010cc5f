"""What builds derive from facts: resolutions, pairs, what was dropped, and the verdict of the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar, get_args

from pairsmith.ids import content_id
from pairsmith.records.facts import Candidate, Message, Prompt, Side

__all__ = [
    "LEVELS",
    "Benchmark",
    "ConflictRecord",
    "Criterion",
    "Dropped",
    "GateReport",
    "Level",
    "Outcome",
    "PreferencePair",
    "Progress",
    "Queued",
    "Resolution",
    "Resolved",
    "State",
    "Validated",
]

Level = Literal["excellent", "good", "marginal", "poor", "not_evaluated"]
State = Literal["pass", "fail", "not_evaluated"]

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What many votes on one comparison come to.

    `agreement` is the share of the winning side among all votes, `None` with fewer than two votes. `gap` in [-1,
    1] is how much better the winner is, `None` where nothing measured it. `confidence` is the probability that the
    winner is right, by the model that `confidence_kind` names, with its 95 % `interval` where that is known. `domain`
    names the group of annotators, or the contested category, for which the preference holds; `context` is the line
    that says so to the reader of the prompt.
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
    confidence_kind: str = ""
    interval: tuple[float, float] | None = None
    domain: str = ""
    context: str = ""


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
    domain: str = ""
    contamination: str = ""

    @classmethod
    def of(cls, resolution: Resolution, prompt: Prompt, a: Candidate, b: Candidate) -> Self:
        """The pair a resolution decides; `a` and `b` are the candidates of its comparison in canonical order."""
        chosen, rejected = (a, b) if resolution.winner == "a" else (b, a)
        return cls(
            id=content_id("pair", [resolution.comparison_id, chosen.id]),
            prompt=_with_context(prompt.messages, resolution.context),
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
            domain=resolution.domain,
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


def _with_context(messages: tuple[Message, ...], line: str) -> tuple[Message, ...]:
    """The turns with `line` in front of the user's first one."""
    first = next((place for place, turn in enumerate(messages) if turn.role == "user"), 0)
    if not line or not messages:
        return messages
    turn = Message(messages[first].role, f"{line}\n\n{messages[first].content}")
    return (*messages[:first], turn, *messages[first + 1 :])


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


@dataclass(frozen=True, slots=True)
class Queued:
    """A comparison that waits for people: why, for what (`vote` or `ruling`), and how urgently, in (0, 1]."""

    comparison_id: str
    prompt_id: str
    stage: str
    why: str
    needs: str
    votes_needed: int
    votes: Mapping[str, int]
    priority: float


@dataclass(frozen=True, slots=True)
class ConflictRecord:
    """Opinions that cannot all stand: the evidence, what was proposed, and what was done about which targets.

    `outcome` is `resolved`, `queued` or `reported`.
    """

    kind: str
    subjects: tuple[str, ...]
    evidence: Mapping[str, Any]
    proposed: str
    targets: tuple[str, ...]
    outcome: str
    action: str


Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Kept]):
    """What every deriving stage returns: kept + dropped = input, and the figures. `queued` are some of the dropped."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    queued: tuple[Queued, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved(Outcome[Resolution]):
    """What `resolve` returns: also every conflict it found."""

    conflicts: tuple[ConflictRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Validated(Outcome[PreferencePair]):
    """What `validate` returns: also every benchmark item that was found, with the evidence and what was done."""

    contamination: tuple[Mapping[str, Any], ...] = ()


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
