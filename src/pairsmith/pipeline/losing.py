"""Responses that lost: what the strategy `edit` and people are given to improve."""

from collections import Counter
from typing import Any

from pairsmith.config import Config
from pairsmith.ledger import Ledger
from pairsmith.pipeline.deriving import resolve_facts
from pairsmith.pipeline.facts import Facts, read_facts

__all__ = ["lost_candidates", "responses_to_edit"]


def lost_candidates(config: Config, ledger: Ledger) -> dict[str, int]:
    """How often each candidate lost more than it won, by the votes that are there; empty if no strategy asks for it."""
    wanted = any("rejected" in strategy.of for strategy in config.generate.strategies)
    return _losses(config, read_facts(ledger)) if wanted else {}


def responses_to_edit(config: Config, ledger: Ledger, limit: int | None = None) -> list[dict[str, Any]]:
    """The rejected responses that nobody edited yet, those that lost most first: rows of the format `edits`."""
    facts = read_facts(ledger)
    edited = {each.params.get("of") for each in facts.candidates.values() if each.origin == "edited"}
    losses = {each: net for each, net in _losses(config, facts).items() if each not in edited}
    prompts = {prompt.id: prompt for prompt in facts.prompts}
    rows: list[dict[str, Any]] = []
    for candidate_id in sorted(losses, key=lambda each: (-losses[each], each))[:limit]:
        candidate = facts.candidates[candidate_id]
        turns = (*prompts[candidate.prompt_id].messages, *candidate.context)
        rows.append(
            {
                "candidate_id": candidate_id,
                "conversation": [{"role": turn.role, "content": turn.content} for turn in turns],
                "response": candidate.text,
                "edited": "",
                "editor": "",
            }
        )
    return rows


def _losses(config: Config, facts: Facts) -> dict[str, int]:
    """Losses minus wins of every candidate that lost a resolved comparison; edits are not edited again."""
    resolved = resolve_facts(config, facts).resolved
    comparisons = {comparison.id: comparison for comparison in facts.comparisons}
    net: Counter[str] = Counter()
    lost: set[str] = set()
    for resolution in resolved.kept:
        comparison = comparisons[resolution.comparison_id]
        winner, loser = (comparison.a, comparison.b) if resolution.winner == "a" else (comparison.b, comparison.a)
        net[winner] -= 1
        net[loser] += 1
        lost.add(loser)
    return {each: net[each] for each in lost if facts.candidates[each].origin != "edited"}
