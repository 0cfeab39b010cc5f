"""What people said about comparisons, as a reward head is trained on it: one row each, its votes as shares."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pairsmith.ids import canonical_json
from pairsmith.ledger import Ledger
from pairsmith.measures.reward_head import PairTable
from pairsmith.models.features import FeatureReader, Item
from pairsmith.records import Annotation, Candidate, Comparison, Label, Prompt, Ruling

__all__ = ["CRITERIA", "OVERALL", "Labelled", "labelled_pairs", "pair_table"]

OVERALL = "overall"
CRITERIA = (OVERALL, "helpfulness", "harmlessness", "honesty")

_COLUMN: Mapping[str, int] = {"a": 0, "b": 1, "tie": 2, "both_bad": 2}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Comparisons with votes.

    Attributes:
        pairs: prompt, candidate a and candidate b of each.
        votes: share of the votes for a, for b, and for neither, (n, 3).
        cast: how many votes there are.
        facts: where they come from: ledger position, hash of the votes, kinds of annotators, sources and licences.
    """

    pairs: tuple[tuple[Prompt, Candidate, Candidate], ...]
    votes: npt.NDArray[np.float64]
    cast: int
    facts: Mapping[str, Any]

    @property
    def candidates(self) -> list[Item]:
        """Every response that occurs, once, with its prompt."""
        found = {each.id: (prompt, each) for prompt, *sides in self.pairs for each in sides}
        return list(found.values())


def labelled_pairs(ledger: Ledger, criterion: str = OVERALL, kinds: Sequence[str] = ("human",)) -> Labelled:
    """The comparisons with votes on a criterion, in the order of their ids.

    Of several votes of one annotator on one comparison the last counts. A ruling replaces the votes, for `overall`.
    `unsure` is no vote; `both_bad` says that neither is better, and counts as a tie. Candidates with an error are
    left out with their comparisons.

    Args:
        ledger: the facts.
        criterion: one of `CRITERIA`; other than `overall` it is looked up in the `criteria` of a vote.
        kinds: whose votes: `human`, `imported`, ...
    """
    position = ledger.position()
    last: dict[tuple[str, str], tuple[str, str]] = {}
    for vote in ledger.read(Annotation, position):
        label = _label(vote, criterion)
        if vote.kind in kinds and label in _COLUMN:
            last[vote.comparison_id, vote.annotator] = label, vote.kind
    labels: dict[str, list[str]] = {}
    for (comparison_id, _), (label, _) in last.items():
        labels.setdefault(comparison_id, []).append(label)
    if criterion == OVERALL and "human" in kinds:
        rulings = {ruling.comparison_id: ruling.label for ruling in ledger.read(Ruling, position)}
        labels |= {comparison: [label] for comparison, label in rulings.items() if label in _COLUMN}
    prompts = {prompt.id: prompt for prompt in ledger.read(Prompt, position)}
    candidates = {each.id: each for each in ledger.read(Candidate, position) if not each.error}
    wanted = sorted(
        (
            each
            for each in ledger.read(Comparison, position)
            if each.id in labels and each.a in candidates and each.b in candidates and each.prompt_id in prompts
        ),
        key=lambda each: each.id,
    )
    used = {each.prompt_id for each in wanted}
    facts = {
        "ledger_position": position,
        "votes_sha256": hashlib.sha256(
            canonical_json([[each.id, sorted(labels[each.id])] for each in wanted]).encode()
        ).hexdigest(),
        "kinds": sorted({kind for (comparison, _), (_, kind) in last.items() if comparison in labels}),
        "source": ", ".join(sorted({prompts[each].source for each in used} - {""})),
        "licences": sorted({prompts[each].licence for each in used} - {""}),
    }
    return Labelled(
        tuple((prompts[each.prompt_id], candidates[each.a], candidates[each.b]) for each in wanted),
        _shares([labels[each.id] for each in wanted]),
        sum(len(labels[each.id]) for each in wanted),
        facts,
    )


def _label(vote: Annotation, criterion: str) -> Label | str:
    if criterion == OVERALL:
        return vote.label
    said = vote.criteria.get(criterion)
    return said if isinstance(said, str) else ""


def _shares(labels: Sequence[Sequence[str]]) -> npt.NDArray[np.float64]:
    """Votes of one comparison are votes on the same two texts: together they weigh as much as any other comparison."""
    votes = np.zeros((len(labels), 3))
    for row, cast in enumerate(labels):
        for label in cast:
            votes[row, _COLUMN[label]] += 1 / len(cast)
    return votes


def pair_table(labelled: Labelled, reader: FeatureReader, done: Any = None) -> PairTable:
    """The labelled pairs with their features. See `FeatureReader.read` for `done` and what can go wrong."""
    items = labelled.candidates
    place = {candidate.id: row for row, (_, candidate) in enumerate(items)}
    features = reader.read(items, done)
    first = np.array([place[a.id] for _, a, _ in labelled.pairs], dtype=np.int64)
    second = np.array([place[b.id] for _, _, b in labelled.pairs], dtype=np.int64)
    longer = np.sign([float(len(a.text) - len(b.text)) for _, a, b in labelled.pairs])
    return PairTable(
        {name: block[first] for name, block in features.items()},
        {name: block[second] for name, block in features.items()},
        labelled.votes,
        tuple(prompt.id for prompt, _, _ in labelled.pairs),
        np.asarray(longer, dtype=np.float64),
    )
