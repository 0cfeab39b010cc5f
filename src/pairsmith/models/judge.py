"""A language model as a judge of pairs: asked in both orders, believed only where the two answers agree."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pairsmith.config import AuditConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.models.canaries import drawn, drawn_probe, plant
from pairsmith.models.judge_asking import Answer, Asking, JsonAsking, LetterAsking
from pairsmith.models.judge_prompts import CRITERIA
from pairsmith.models.protocols import ChatModel
from pairsmith.models.verdicts import Choice
from pairsmith.records import Annotation, Candidate, Comparison, Label, Prompt, Score, Side

__all__ = ["DEFAULT_MAX_TOKENS", "NO_AUDIT", "Judge"]

DEFAULT_MAX_TOKENS: Final = 1024
NO_AUDIT: Final = AuditConfig(canaries=0.0, repeated=0.0)

_LABELS: Final[Mapping[Side, Mapping[Choice, Label]]] = {
    "a": {"first": "a", "second": "b", "tie": "tie", "both_bad": "both_bad"},
    "b": {"first": "b", "second": "a", "tie": "tie", "both_bad": "both_bad"},
}


class Judge:
    """Asks a chat model about every comparison twice, with the sides exchanged.

    Where both answers name the same response (or both a tie) that is the vote; otherwise the vote is a tie marked
    `"swap_consistent": false`. Both raw answers stay in the vote, and so does what the audit asked beside them: a
    canary (see `measures.judge_audit`), and repetitions of the first question.

    Args:
        model: who judges, at temperature 0.
        name: name in the records; by default `judge:` and the model's name.
        criteria: what to weigh, see `judge_prompts.CRITERIA`.
        seed: the project's seed.
        guideline: version of the project's annotation guidelines; part of every vote's id.
        guideline_text: the guidelines themselves, shown to the model.
        max_tokens: room for one answer.
        verdict: `json`, or `logprobs` for one letter and its probability.
        audit: which shares of the comparisons also test the judge.
        family: the model's family, kept in every vote.
    """

    audited = True

    def __init__(
        self,
        model: ChatModel,
        *,
        name: str = "",
        criteria: Sequence[str] = tuple(CRITERIA),
        seed: int = 0,
        guideline: str = "",
        guideline_text: str = "",
        max_tokens: int = DEFAULT_MAX_TOKENS,
        verdict: Literal["json", "logprobs"] = "json",
        audit: AuditConfig = NO_AUDIT,
        family: str = "",
    ) -> None:
        self.name = name or f"judge:{model.name}"
        self._asking: Asking = (
            JsonAsking(model, criteria, seed, guideline_text, max_tokens)
            if verdict == "json"
            else LetterAsking(model, criteria, seed, guideline_text)
        )
        own = self._asking.version
        self.guideline = f"{guideline}/{own}" if guideline else own
        self._seed = seed
        self._audit = audit
        self._family = family

    def wants(self, prompt: Prompt) -> bool:  # noqa: ARG002 - the protocol's signature
        """A judge has an opinion on every prompt."""
        return True

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """One vote from two answers, or from up to four where one had to be repaired, and what the audit asks.

        Raises:
            ModelError: one order has no usable verdict even after one repair call.
            ModelUnavailable: the model is down.
        """
        record = f"{comparison.id}:{self.name}"
        answers = [
            await self._ask(prompt, a, b, f"{record}:a", f"{comparison.id} with a shown first"),
            await self._ask(prompt, b, a, f"{record}:b", f"{comparison.id} with b shown first"),
        ]
        one, other = _LABELS["a"][answers[0].choice], _LABELS["b"][answers[1].choice]
        label: Label = one if one == other else "tie"
        criteria = _agreed(answers) | {"swap_consistent": one == other}
        if self._family:
            criteria["family"] = self._family
        p = _probability(answers)
        if p is not None:
            criteria["p"] = p
        criteria["orders"] = [_order("a", answers[0]), _order("b", answers[1])]
        criteria |= await self._audited(prompt, a, b, label, answers[0], record)
        vote = Annotation.of(
            comparison.id,
            self.name,
            "judge",
            label,
            guideline=self.guideline,
            strength=abs(2 * p - 1) if p is not None and one == other else None,
            criteria=criteria,
            rationale=answers[0].rationale,
        )
        return [vote], []

    async def _ask(self, prompt: Prompt, first: Candidate, second: Candidate, record: str, what: str) -> Answer:
        try:
            return await self._asking.ask(prompt, first, second, record)
        except ModelUnavailable:
            raise
        except ModelError as problem:
            raise ModelError(f"{self.name}: no usable verdict on {what}: {problem}") from None

    async def _audited(
        self, prompt: Prompt, a: Candidate, b: Candidate, label: Label, first_answer: Answer, record: str
    ) -> dict[str, Any]:
        """What the audit found beside this comparison, if it was drawn for one.

        A canary needs a response that the judge itself called better, in both orders.
        """
        found: dict[str, Any] = {}
        probe = drawn_probe(self._seed, record, self._audit.canaries)
        if probe and label in ("a", "b"):
            winner, loser = (a, b) if label == "a" else (b, a)
            planted = plant(probe, loser)
            found["canary"] = {
                "probe": probe,
                "winner": label,
                "orders": [
                    await self._duel(prompt, winner, planted, f"{record}:canary:real", probe_first=False),
                    await self._duel(prompt, planted, winner, f"{record}:canary:probe", probe_first=True),
                ],
            }
        if drawn(self._seed, "annotate.repeat", record, self._audit.repeated):
            again = [await self._again(prompt, a, b, f"{record}:again{n}") for n in range(self._audit.repeats)]
            flipped = sum(choice != first_answer.choice for choice in again)
            found["repeats"] = {"asked": len(again), "flipped": flipped, "choices": again}
        return found

    async def _duel(
        self, prompt: Prompt, first: Candidate, second: Candidate, record: str, *, probe_first: bool
    ) -> str:
        """Who won between a real response and a planted one: `real`, `probe`, `tie`, or `unread`."""
        choice = await self._again(prompt, first, second, record)
        if choice in ("first", "second"):
            return "probe" if (choice == "first") is probe_first else "real"
        return "tie" if choice in ("tie", "both_bad") else choice

    async def _again(self, prompt: Prompt, first: Candidate, second: Candidate, record: str) -> str:
        """One more answer, or `unread`: a failed audit question does not cost the vote."""
        try:
            return (await self._asking.ask(prompt, first, second, record)).choice
        except ModelUnavailable:
            raise
        except ModelError:
            return "unread"


def _agreed(answers: Sequence[Answer]) -> dict[str, Any]:
    """The label on each criterion that holds in both orders, else a tie."""
    one, other = answers
    agreed: dict[str, Any] = {}
    for name in one.criteria:
        labels = _LABELS["a"][one.criteria[name]], _LABELS["b"][other.criteria[name]]
        agreed[name] = labels[0] if labels[0] == labels[1] else "tie"
    return agreed


def _probability(answers: Sequence[Answer]) -> float | None:
    """The probability that `a` is better, mean of both orders, which cancels a preference for one position."""
    one, other = (answer.p_first for answer in answers)
    return None if one is None or other is None else (one + 1 - other) / 2


def _order(shown_first: Side, answer: Answer) -> dict[str, Any]:
    """One order as it is stored: what was said, translated to the sides of the comparison."""
    labels = _LABELS[shown_first]
    stored: dict[str, Any] = {
        "shown_first": shown_first,
        "label": labels[answer.choice],
        "criteria": {name: labels[choice] for name, choice in answer.criteria.items()},
        "rationale": answer.rationale,
        "raw": answer.raw,
        "repaired": answer.repaired,
    }
    if answer.p_first is not None:
        stored["p_first"] = answer.p_first
    return stored
