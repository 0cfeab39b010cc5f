"""Facts: what money, people or the outside world produced. The ledger stores them and never changes them.

The id of a fact hashes what was *asked*, so that appending it twice is harmless and nothing is paid for twice.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from pairsmith.ids import content_id
from pairsmith.records.anchor import AnchorDraw

__all__ = [
    "LABELS",
    "ROLES",
    "Annotation",
    "AnnotatorKind",
    "Candidate",
    "Check",
    "Comparison",
    "Fact",
    "Intake",
    "Label",
    "Message",
    "Origin",
    "Prompt",
    "Rejected",
    "Role",
    "Ruling",
    "Score",
    "Side",
    "flip",
]

Role = Literal["system", "user", "assistant", "tool"]
Origin = Literal["model", "human", "edited", "strong", "weak", "contrast", "corrupted", "imported"]
AnnotatorKind = Literal["human", "judge", "reward", "verifier", "imported"]
Label = Literal["a", "b", "tie", "unsure", "both_bad"]
Side = Literal["a", "b"]

ROLES: tuple[Role, ...] = get_args(Role)
LABELS: tuple[Label, ...] = get_args(Label)

_FLIPPED: dict[Label, Label] = {"a": "b", "b": "a", "tie": "tie", "unsure": "unsure", "both_bad": "both_bad"}


def flip(label: Label) -> Label:
    """The same verdict after the two sides change names."""
    return _FLIPPED[label]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; text only."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Check:
    """One constraint that a verifier can decide: the name of a check and its arguments."""

    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of the models. Two prompts with the same messages are the same prompt."""

    id: str
    messages: tuple[Message, ...]
    category: str = ""
    difficulty: str = ""
    form: str = ""
    language: str = ""
    source: str = ""
    licence: str = ""
    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, messages: Sequence[Message], **attributes: Any) -> Self:
        """A prompt with the id its messages give it."""
        key = [[message.role, message.content] for message in messages]
        return cls(id=content_id("prm", key), messages=tuple(messages), **attributes)

    @property
    def text(self) -> str:
        """All turns, one after the other, for matching and for people."""
        return "\n\n".join(message.content for message in self.messages)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One response to a prompt.

    `context` holds turns that lie between the prompt and `text` (see `Prompt.messages`): in a multi-turn
    comparison each side has its own earlier answers.
    """

    id: str
    prompt_id: str
    text: str
    model: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0
    origin: Origin = "model"
    context: tuple[Message, ...] = ()
    finish_reason: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @staticmethod
    def asked_id(prompt_id: str, model: str, params: Mapping[str, Any], sample: int, origin: Origin = "model") -> str:
        """The id of a sample before it is drawn: what is asked, not what comes back."""
        return content_id("cnd", [prompt_id, model, dict(params), sample, origin])

    @classmethod
    def imported(
        cls,
        prompt_id: str,
        text: str,
        *,
        model: str = "",
        context: Sequence[Message] = (),
        origin: Origin = "imported",
        finish_reason: str = "",
        unpaired: bool = False,
    ) -> Self:
        """A response that came with a source: its id is its content; `unpaired` if the source compares none."""
        turns = [[turn.role, turn.content] for turn in context]
        return cls(
            id=content_id("cnd", [prompt_id, model, turns, text, origin]),
            prompt_id=prompt_id,
            text=text,
            model=model,
            params={"unpaired": True} if unpaired else {},
            origin=origin,
            context=tuple(context),
            finish_reason=finish_reason,
        )

    @property
    def completion(self) -> tuple[Message, ...]:
        """Every turn after the prompt, the response last."""
        return (*self.context, Message("assistant", self.text))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two candidates of one prompt, in canonical order: by model name, then by id. Votes name sides `a` and `b`."""

    id: str
    prompt_id: str
    a: str
    b: str

    @classmethod
    def of(cls, one: Candidate, other: Candidate) -> Self:
        """The comparison of two candidates, whatever order they are given in."""
        first, second = sorted((one, other), key=lambda candidate: (candidate.model, candidate.id))
        return cls(content_id("cmp", [first.id, second.id]), first.prompt_id, first.id, second.id)

    def swap(self) -> Self:
        """The same two candidates with the sides exchanged (the id stays: it is the same question)."""
        return dataclasses.replace(self, a=self.b, b=self.a)


@dataclass(frozen=True, slots=True)
class Score:
    """A number some scorer gave one candidate; `scale` is [low, high] where the scorer declares one."""

    id: str
    candidate_id: str
    scorer: str
    value: float
    scale: tuple[float, float] | None = None

    @classmethod
    def of(cls, candidate_id: str, scorer: str, value: float, scale: tuple[float, float] | None = None) -> Self:
        """A score with the id that candidate and scorer give it."""
        return cls(content_id("scr", [candidate_id, scorer]), candidate_id, scorer, value, scale)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One vote.

    `strength` in [0, 1] is how far apart the annotator put the two sides, `None` if it was not asked.
    `shown_first` is the side the annotator saw first. `revision` counts votes of one annotator on one comparison;
    the last one counts.
    """

    id: str
    comparison_id: str
    annotator: str
    kind: AnnotatorKind
    label: Label
    strength: float | None = None
    criteria: Mapping[str, Any] = field(default_factory=dict)
    rationale: str = ""
    shown_first: Side | None = None
    guideline: str = ""
    seconds: float | None = None
    revision: int = 0

    @staticmethod
    def asked_id(comparison_id: str, annotator: str, guideline: str = "", revision: int = 0) -> str:
        """The id of a vote before it is cast."""
        return content_id("ann", [comparison_id, annotator, guideline, revision])

    @classmethod
    def of(
        cls,
        comparison_id: str,
        annotator: str,
        kind: AnnotatorKind,
        label: Label,
        *,
        guideline: str = "",
        revision: int = 0,
        **details: Any,
    ) -> Self:
        """A vote with the id that comparison, annotator, guideline and revision give it."""
        return cls(
            id=cls.asked_id(comparison_id, annotator, guideline, revision),
            comparison_id=comparison_id,
            annotator=annotator,
            kind=kind,
            label=label,
            guideline=guideline,
            revision=revision,
            **details,
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision that stands above votes."""

    id: str
    comparison_id: str
    label: Label
    by: str
    reason: str

    @classmethod
    def of(cls, comparison_id: str, label: Label, by: str, reason: str) -> Self:
        """A ruling with the id that comparison, person and reason give it."""
        return cls(content_id("rul", [comparison_id, by, reason]), comparison_id, label, by, reason)


@dataclass(frozen=True, slots=True)
class Intake:
    """One file read by `collect`: how many rows it had, how many were good, and what it added."""

    id: str
    source: str
    sha256: str
    rows: int
    good: int
    rejected: int
    blank: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def asked_id(source: str, sha256: str, settings: Mapping[str, Any]) -> str:
        """The id of reading this very file with these settings."""
        return content_id("int", [source, sha256, dict(settings)])


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not used: where it stands, which field, the reason code and what was seen."""

    id: str
    source: str
    sha256: str
    line: int
    field: str
    reason: str
    detail: str

    @classmethod
    def of(cls, source: str, sha256: str, line: int, field: str, reason: str, detail: str) -> Self:
        """A rejected row with the id that file and line give it."""
        key = [source, sha256, line, field, reason]
        return cls(content_id("rej", key), source, sha256, line, field, reason, detail)


Fact = Prompt | Candidate | Comparison | Score | Annotation | Ruling | Intake | Rejected | AnchorDraw
