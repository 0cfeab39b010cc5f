"""Simulated annotation with planted conflicts and the truth about them; `python -m tests.planted` prints the table.

Clean data is not ideal data: comparisons differ in difficulty, annotators in skill, everybody leans a little towards
longer responses, better responses are longer, and one voter in twelve says "tie".
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pairsmith.measures.anomalies import annotator_anomalies, fast_annotators
from pairsmith.measures.collusion import colluding_pairs
from pairsmith.measures.conflicts import (
    Conflict,
    Preference,
    both_ways,
    inconsistent_annotations,
    low_confidence,
    preference_cycles,
)
from pairsmith.measures.domains import category_disagreement, group_disagreement
from pairsmith.measures.opposed_examples import Example, contradictory_examples
from pairsmith.measures.votes import Vote

CATEGORIES = ("coding", "creative", "factual", "reasoning", "safety")
CONTESTED = "safety"
GROUPS = ("clinicians", "patients")
HONEST = 24
COMPARISONS = 1500
VOTES_EACH = 5
CLUSTERS = 40


@dataclass(frozen=True)
class Crowd:
    """How honest people differ; probabilities. `careless` people share one group."""

    skill: tuple[float, float] = (0.7, 1.0)
    leaning: tuple[float, float] = (0.0, 0.15)
    careless: float | None = None
    ease: tuple[float, float] = (3.0, 1.0)
    better_is_a: float = 0.5
    better_is_longer: float = 0.6
    better_is_first: float = 0.5


CROWDS = {
    "plain": Crowd(),
    "careless group": Crowd(careless=0.15),
    "length-loving": Crowd(leaning=(0.2, 0.5), better_is_longer=0.7),
    "longer is better": Crowd(better_is_longer=0.95),
    "better side known": Crowd(better_is_a=0.95, better_is_first=0.95),
    "easy and impossible": Crowd(ease=(0.25, 0.25), skill=(0.5, 1.0)),
}
"""Honest crowds, some of them hard to tell from dishonest ones."""


@dataclass
class Data:
    """What detectors read, and for each kind the planted subjects and how many subjects there are."""

    votes: list[Vote] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    longer: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    decided: list[Vote] = field(default_factory=list)
    preferences: list[Preference] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    planted: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)

    def plant(self, kind: str, *subjects: str) -> None:
        self.planted.setdefault(kind, set()).add(subjects)


def simulate(seed: int, *, planted: bool, crowd: str = "plain") -> Data:
    """One dataset; with `planted`, one of each kind of dishonest annotator and about ten of each other conflict."""
    data = Data()
    _annotators(data, random.Random(f"votes {seed}"), planted, CROWDS[crowd])
    _comparisons(data, random.Random(f"comparisons {seed}"), planted)
    _prompts(data, random.Random(f"prompts {seed}"), planted)
    _texts(data, random.Random(f"texts {seed}"), planted)
    return data


ODD = ("flipped", "first", "lengthy", "constant", "hasty", "twin1", "twin2")


def _annotators(data: Data, rng: random.Random, planted: bool, crowd: Crowd) -> None:
    honest = [f"person{number:02}" for number in range(HONEST)]
    people = [*honest, *(ODD if planted else [f"person{number:02}" for number in range(HONEST, HONEST + len(ODD))])]
    skill = {name: rng.uniform(*crowd.skill) for name in people}
    leaning = {name: rng.uniform(*crowd.leaning) for name in people}
    data.groups = {name: GROUPS[place % 2] for place, name in enumerate(people)}
    if crowd.careless is not None:
        skill |= {name: crowd.careless for name in people if data.groups[name] == GROUPS[1]}
    for number in range(COMPARISONS):
        item = f"comparison{number:04}"
        data.categories[item] = rng.choice(CATEGORIES)
        truth = _biased(rng, "a", crowd.better_is_a)
        longer = data.longer[item] = _biased(rng, truth, crowd.better_is_longer)
        ease = rng.betavariate(*crowd.ease)
        voters = rng.sample(people, VOTES_EACH)
        if planted and ("twin1" in voters) != ("twin2" in voters) and rng.random() < 0.6:
            voters = ["twin1", "twin2", *[name for name in voters if not name.startswith("twin")]][:VOTES_EACH]
        said: dict[str, str] = {}
        for name in sorted(voters):
            wanted = truth
            if planted and data.categories[item] == CONTESTED and data.groups[name] == GROUPS[1]:
                wanted = _other(truth)
            label = wanted if rng.random() < 0.5 + 0.5 * skill[name] * ease else _other(wanted)
            label = longer if rng.random() < leaning[name] else label
            shown = _biased(rng, truth, crowd.better_is_first)
            label = _odd(name, label, shown, longer, said, rng)
            if rng.random() < 0.08 and name not in ("constant", "twin2"):
                label = "tie"
            said[name] = label
            data.votes.append(Vote(item, name, "human", label, shown))
            hasty = name == "hasty" and rng.random() < 0.4
            data.seconds.append(rng.uniform(0.2, 0.9) if hasty else rng.lognormvariate(3, 0.8))
    for kind in ("flipped_annotator", "position_only", "length_only", "constant_answer", "too_fast"):
        data.units[kind] = len(people)
    data.units["colluding_pair"] = len(people) * (len(people) - 1) // 2
    data.units["group_disagreement"] = data.units["category_disagreement"] = len(CATEGORIES)
    if planted:
        for kind, name in zip(tuple(data.units)[:5], ODD[:5], strict=True):
            data.plant(kind, name)
        data.plant("colluding_pair", "twin1", "twin2")
        data.plant("group_disagreement", *GROUPS, CONTESTED)
        data.plant("category_disagreement", CONTESTED)


def _odd(name: str, label: str, shown: str, longer: str, said: Mapping[str, str], rng: random.Random) -> str:
    """What the dishonest say instead; each slips in 5 % of votes."""
    if rng.random() < 0.05:
        return label
    if name == "twin2" and "twin1" in said:
        return said["twin1"]
    habits = {"flipped": _other(label), "first": shown, "lengthy": longer, "constant": "a"}
    return habits.get(name, label)


def _biased(rng: random.Random, side: str, probability: float) -> str:
    return side if rng.random() < probability else _other(side)


def _other(side: str) -> str:
    return "b" if side == "a" else "a"


def _comparisons(data: Data, rng: random.Random, planted: bool) -> None:
    """Unanimous comparisons, some with dissent: 4 to 1 (a majority stands) or 2 to 2 and a tie (nothing does)."""
    for number in range(200):
        item, side = f"decided{number:03}", rng.choice("ab")
        labels = [side] * 5
        if planted and number % 20 == 0:
            labels[-1] = _other(side)
            data.plant("inconsistent", item)
        if planted and number % 20 == 1:
            labels[2:] = [_other(side), _other(side), "tie"]
            data.plant("inconsistent", item)
            data.plant("low_confidence", item)
        data.decided += [Vote(item, f"judge{place}", "human", label) for place, label in enumerate(labels)]
    data.units["inconsistent"] = data.units["low_confidence"] = 200


def _prompts(data: Data, rng: random.Random, planted: bool) -> None:
    """Preferences that follow a ranking; planted are a preference against it that closes a circle, or both ways."""
    for number in range(300):
        prompt = f"prompt{number:03}"
        ranking = [f"{prompt}-{place}" for place in range(5)]
        edges = {(ranking[i], ranking[j]) for i in range(5) for j in range(i + 1, 5) if rng.random() < 0.7}
        edges |= {(ranking[place], ranking[place + 1]) for place in range(4)}
        if planted and number % 30 == 0:
            edges -= {(ranking[0], ranking[3])}
            edges |= {(ranking[3], ranking[0])}
            data.plant("cycle", prompt)
        if planted and number % 30 == 1:
            edges |= {(ranking[1], ranking[0])}
            data.plant("both_ways", prompt)
        for winner, loser in sorted(edges):
            weight = float(rng.randint(2, 5)) if winner < loser else 1.0
            data.preferences.append(Preference(f"{winner}>{loser}", prompt, winner, loser, weight))
    data.units["cycle"] = data.units["both_ways"] = 300


def _texts(data: Data, rng: random.Random, planted: bool) -> None:
    """Groups of similar prompts: agreeing, with other responses, with another number (another question), or opposed."""
    vocabulary = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "eto", "ilu", "oma", "una", "es")]
    common = ["the", "a", "of", "and", "to", "in"]

    def sentence(low: int, high: int) -> list[str]:
        return rng.choices([*vocabulary, *common * 3], k=rng.randint(low, high))

    def edited(text: list[str], share: float) -> list[str]:
        return [rng.choice(vocabulary) if rng.random() < share else word for word in text]

    kinds = ("agreeing", "other responses", "another number", "opposed" if planted else "agreeing")
    for number in range(4 * CLUSTERS):
        kind, prompt = kinds[number % 4], [*sentence(20, 40), "with", "12", "parts"]
        chosen, rejected = sentence(30, 60), sentence(30, 60)
        rows = [(prompt, chosen, rejected)]
        for _ in range(rng.randint(1, 3)):
            near = edited(prompt[:-3], 0.02) + prompt[-3:]
            if kind == "other responses":
                rows.append((near, sentence(30, 60), sentence(30, 60)))
            elif kind == "another number":
                rows.append(([*near[:-2], "13", "parts"], edited(rejected, 0.05), edited(chosen, 0.05)))
            else:
                rows.append((near, edited(chosen, 0.05), edited(rejected, 0.05)))
        if kind == "opposed":
            near, good, bad = rows[-1]
            rows[-1] = near, bad, [*good, "indeed"]
            data.plant("contradictory", f"cluster{number:03}")
        for place, (one, two, three) in enumerate(rows):
            data.examples.append(Example(f"cluster{number:03}-{place}", " ".join(one), " ".join(two), " ".join(three)))
    data.units["contradictory"] = 4 * CLUSTERS


def detect(data: Data) -> dict[str, set[tuple[str, ...]]]:
    """Subjects found, by kind, named as they are planted."""
    conflicts: list[Conflict] = annotator_anomalies(data.votes, longer=data.longer)
    suspects = {name for conflict in conflicts for name in conflict.subjects}
    timed = [vote._replace(seconds=took) for vote, took in zip(data.votes, data.seconds, strict=True)]
    conflicts += fast_annotators(timed)
    conflicts += colluding_pairs(data.votes, explained=suspects)
    trusted = [vote for vote in data.votes if vote.annotator not in suspects]
    conflicts += group_disagreement(trusted, data.groups, data.categories, seed=0)
    conflicts += category_disagreement(trusted, data.categories)
    conflicts += inconsistent_annotations(data.decided) + low_confidence(data.decided)
    found: dict[str, set[tuple[str, ...]]] = {}
    for conflict in conflicts:
        found.setdefault(conflict.kind, set()).add(conflict.subjects)
    for conflict in both_ways(data.preferences) + preference_cycles(data.preferences):
        found.setdefault(conflict.kind, set()).add((str(conflict.evidence["prompt"]),))
    for conflict in contradictory_examples(data.examples):
        found.setdefault(conflict.kind, set()).add((conflict.subjects[0].rpartition("-")[0],))
    return found


@dataclass
class Tally:
    """Counts of one kind over several datasets."""

    planted: int = 0
    found: int = 0
    units: int = 0
    alarms: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 1.0

    @property
    def false_alarms(self) -> float:
        return self.alarms / self.units


def tally(seeds: Iterable[int], *, planted: bool, crowd: str = "plain") -> dict[str, Tally]:
    """For each kind: how many of the planted were found, and how many of all others were accused."""
    tallies: dict[str, Tally] = {}
    for seed in seeds:
        data = simulate(seed, planted=planted, crowd=crowd)
        found = detect(data)
        for kind, units in data.units.items():
            truth, row = data.planted.get(kind, set()), tallies.setdefault(kind, Tally())
            row.planted += len(truth)
            row.found += len(truth & found.get(kind, set()))
            row.units += units - len(truth)
            row.alarms += len(found.get(kind, set()) - truth)
    return tallies


TABLE_SEEDS = range(1000, 1020)
"""None of them was looked at while thresholds were chosen."""


def table() -> str:
    """What is found in the plain crowd, in Markdown."""
    dirty, clean = tally(TABLE_SEEDS, planted=True), tally(TABLE_SEEDS, planted=False)
    lines = [
        "| kind | planted | found | false alarms beside them | false alarms in clean data |",
        "|---|---|---|---|---|",
    ]
    for kind in sorted(dirty):
        rates = [f"{row.alarms} of {row.units} ({row.false_alarms:.2%})" for row in (dirty[kind], clean[kind])]
        lines.append(f"| `{kind}` | {dirty[kind].planted} | {dirty[kind].found} | {rates[0]} | {rates[1]} |")
    return "\n".join(lines)


def crowds_table() -> str:
    """Every crowd: what was missed, and all false alarms about annotators, pairs, groups and categories."""
    lines = ["| crowd | missed beside others | false alarms beside them | in clean data |", "|---|---|---|---|"]
    for crowd in CROWDS:
        dirty = tally(TABLE_SEEDS, planted=True, crowd=crowd)
        clean = tally(TABLE_SEEDS, planted=False, crowd=crowd)
        missed = _listed({kind: (row.planted - row.found, row.planted) for kind, row in dirty.items()})
        alarms = [_listed({kind: (row.alarms, row.units) for kind, row in each.items()}) for each in (dirty, clean)]
        lines.append(f"| {crowd} | {missed} | {alarms[0]} | {alarms[1]} |")
    return "\n".join(lines)


def _listed(counts: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"`{kind}` {some} of {total}" for kind, (some, total) in sorted(counts.items()) if some) or "none"


if __name__ == "__main__":
    print(table(), crowds_table(), sep="\n\n")
