"""`fit`: from the votes in the ledger to a reward head with its figures, written as JSON into `scorers/`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsmith.builds.files import write_atomically
from pairsmith.config import Config
from pairsmith.errors import UsageError
from pairsmith.ledger import Ledger
from pairsmith.measures.head_figures import (
    CURVE_SIZES,
    FOLDS,
    LEVELS,
    REPEATS,
    HeldOut,
    cross_validate,
    head_figures,
    label_level,
    learning_curve,
    length_log_odds,
)
from pairsmith.measures.reward_head import PairTable, decided, fit_head
from pairsmith.models.features import BLOCKS, FeatureReader
from pairsmith.models.fitted_files import (
    FOLDER,
    ID_END,
    NAME_PATTERN,
    SHIPPED,
    FoldHead,
    ScorerFile,
    find_scorer,
    numbers_of,
)
from pairsmith.pipeline.labelled import CRITERIA, OVERALL, Labelled, labelled_pairs, pair_table

__all__ = ["DEFAULT_FEATURES", "FitOptions", "Fitted", "fit_scorer", "fitted_file", "measure_scorer"]

Notify = Callable[[int, int, str], None]

DEFAULT_FEATURES = ("surface", "manner")
"""What needs no model and no download; `minilm` and `hidden` are asked for by name."""

_KINDS = ("human", "imported", "judge", "reward", "verifier")
_MIN_PAIRS = 50
_SEED = 0


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What to fit: the head's name, the criterion, the blocks of features, and whose votes count."""

    name: str = ""
    criterion: str = OVERALL
    features: tuple[str, ...] = DEFAULT_FEATURES
    kinds: tuple[str, ...] = ("human",)

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            raise UsageError(f"--criterion {self.criterion}: take one of {', '.join(CRITERIA)}")
        if not self.features or not self.kinds:
            raise UsageError("--features and --votes need at least one name each")
        for option, given, known in (("features", self.features, BLOCKS), ("votes", self.kinds, _KINDS)):
            for each in given:
                if each not in known:
                    raise UsageError(f"--{option}: there is no {each!r}; take some of {', '.join(known)}")
        if self.name and not re.fullmatch(NAME_PATTERN, self.name):
            raise UsageError(f"{self.name!r} cannot be the name of a scorer: take up to 64 of a-z, A-Z, 0-9, . _ -")
        if self.name in SHIPPED:
            raise UsageError(f"{self.name} is the name of a scorer that ships; take another name")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head, where it was written, and how the shipped heads do on the same votes (`None`: not measured, why)."""

    file: ScorerFile
    path: Path
    replaced: bool
    shipped: Mapping[str, Mapping[str, Any] | str]


def fit_scorer(
    project: Path, config: Config, ledger: Ledger, options: FitOptions, notify: Notify | None = None
) -> Fitted:
    """Fit a head on the votes of this project, measure it, and write it to `scorers/NAME.json`.

    Nothing is written before everything is measured; what features cost is kept in the cache, so that a run that was
    interrupted carries on.

    Raises:
        UsageError: an option is not known, or there are fewer than 50 decided pairs on the criterion.
        MissingExtra, ModelUnavailable, ModelError: see `FeatureReader`.
    """
    labelled = labelled_pairs(ledger, options.criterion, options.kinds)
    _check(labelled, options)
    cache = project / config.runtime.cache
    with FeatureReader(options.features, cache, workers=config.runtime.workers) as reader:
        counter = _Counter(notify, len(labelled.candidates) * len(reader.blocks))
        table = pair_table(labelled, reader, counter.add)
    name = options.name or options.criterion
    file = fitted_file(table, labelled, name=name, criterion=options.criterion, counter=counter)
    folder = project / FOLDER
    path = folder / f"{name}.json"
    replaced = path.exists()
    folder.mkdir(exist_ok=True)
    write_atomically(path, file.to_json())
    return Fitted(file, path, replaced, _shipped_on(table, project))


def fitted_file(
    table: PairTable,
    labelled: Labelled,
    *,
    name: str,
    criterion: str,
    counter: "_Counter | None" = None,
    data: Mapping[str, Any] | None = None,
    demonstration: bool = False,
) -> ScorerFile:
    """The head of a table with its figures. A demonstration keeps no heads of folds, but which prompts it saw."""
    count = counter or _Counter(None, 0)
    curve_fits = FOLDS * sum(size <= len(table) * (FOLDS - 1) / FOLDS for size in CURVE_SIZES)
    count.more(REPEATS * FOLDS + curve_fits + 1)
    held = cross_validate(table, seed=_SEED, step=lambda: count.add(1))
    figures = head_figures(held.log_odds, table, length=held.length, seed=_SEED)
    figures["learning_curve"] = learning_curve(table, seed=_SEED, step=lambda: count.add(1))
    head = numbers_of(fit_head(table, seed=_SEED))
    count.finish()
    level = label_level(figures["pairs"])
    return ScorerFile.model_validate(
        {
            "name": name,
            "criterion": criterion,
            "demonstration": demonstration,
            "level": level,
            "data": {**labelled.facts, "pairs": len(table), "votes": labelled.cast, **(data or {})},
            "figures": figures,
            "head": head,
            "folds": [] if demonstration else _folds(held),
            "trained_on": sorted({group[-ID_END:] for group in table.groups}) if demonstration else [],
        }
    )


def measure_scorer(
    project: Path, config: Config, ledger: Ledger, name: str, options: FitOptions, notify: Notify | None = None
) -> dict[str, Any]:
    """What a scorer that exists is worth on the votes of this project.

    Raises:
        ConfigError: there is no such scorer, or its file is not sound.
        UsageError: no pair is decided on the criterion.
    """
    file = find_scorer(name, project, "--measure")
    labelled = labelled_pairs(ledger, options.criterion, options.kinds)
    if not labelled.pairs:
        raise UsageError(_too_few(0, 1, options))
    with FeatureReader(
        tuple(file.head.blocks), project / config.runtime.cache, workers=config.runtime.workers
    ) as reader:
        counter = _Counter(notify, len(labelled.candidates) * len(reader.blocks))
        table = pair_table(labelled, reader, counter.add)
    return {"name": name, "criterion": options.criterion, **_measured(file, table)}


def _measured(file: ScorerFile, table: PairTable) -> dict[str, Any]:
    """Its figures on pairs of prompts that did not train it; `trained_on_pairs` counts those left out."""
    known = set(file.trained_on)
    new = [row for row, group in enumerate(table.groups) if group[-ID_END:] not in known]
    left_out = len(table) - len(new)
    table = table.rows(new)
    log_odds = file.head.head().log_odds(table)
    seen = {prompt: fold.head.head() for fold in file.folds for prompt in fold.prompts}
    for row, group in enumerate(table.groups):  # what trained the head is judged by the fold that held it out
        if group in seen:
            log_odds[row] = seen[group].log_odds(table.rows([row]))[0]
    length = length_log_odds(table, seed=_SEED)
    return {"trained_on_pairs": left_out, **head_figures(log_odds, table, length=length, seed=_SEED)}


def _shipped_on(table: PairTable, project: Path) -> dict[str, Mapping[str, Any] | str]:
    """What the demonstrations would be worth here, as far as their features were read anyway."""
    found: dict[str, Mapping[str, Any] | str] = {}
    for name in SHIPPED:
        file = find_scorer(name, project, name)
        missing = [block for block in file.head.blocks if block not in table.first]
        found[name] = f"needs --features {','.join(file.head.blocks)}" if missing else _measured(file, table)
    return found


def _folds(held: HeldOut) -> list[FoldHead]:
    return [FoldHead(prompts=sorted(groups), head=numbers_of(head)) for head, groups in held.folds]


def _check(labelled: Labelled, options: FitOptions) -> None:
    count = int(decided(labelled.votes).sum())
    if count < _MIN_PAIRS:
        raise UsageError(_too_few(count, _MIN_PAIRS, options))
    prompts = len({prompt.id for prompt, _, _ in labelled.pairs})
    if prompts < 2 * FOLDS:
        raise UsageError(
            f"the {count} decided pairs are of only {prompts} prompts, and whole prompts are held out to measure the "
            f"head; let people vote on pairs of at least {2 * FOLDS} prompts"
        )


def _too_few(count: int, wanted: int, options: FitOptions) -> str:
    levels = ", ".join(f"{least} {name}" for least, name in reversed(LEVELS) if least)
    whose = " or ".join(options.kinds)
    hint = "" if "imported" in options.kinds else "; labels that came with a source count with --votes human,imported"
    return (
        f"{count} pairs are decided by votes of kind {whose} on {options.criterion}, and {wanted} are needed "
        f"({levels}); collect more votes{hint}"
    )


class _Counter:
    """Progress over parts whose size becomes known on the way."""

    def __init__(self, notify: Notify | None, total: int) -> None:
        self._notify = notify or (lambda *_: None)
        self._done, self._total = 0, total

    def more(self, steps: int) -> None:
        self._total += steps

    def add(self, steps: int) -> None:
        self._done += steps
        self._notify(min(self._done, self._total), self._total, "")

    def finish(self) -> None:
        self._notify(self._total, self._total, "")
