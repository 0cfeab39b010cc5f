"""The file of a fitted reward head: JSON with coefficients and figures, checked field by field when it is read."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from pairsmith.errors import ConfigError
from pairsmith.ids import canonical_json
from pairsmith.measures.reward_head import BlockHead, Head
from pairsmith.models.features import REVISIONS, columns_of

__all__ = [
    "FOLDER",
    "ID_END",
    "NAME_PATTERN",
    "SHIPPED",
    "BlockNumbers",
    "FoldHead",
    "HeadNumbers",
    "ScorerFile",
    "find_scorer",
    "numbers_of",
    "read_scorer",
]

FOLDER: Final = "scorers"
SHIPPED: Final = ("harmless-v0", "helpful-v0")
"""Heads that come with Pairsmith: demonstrations, fitted on other people's votes."""
SCHEMA: Final = 1
NAME_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
MAX_BYTES: Final = 64 * 2**20
ID_END: Final = 10
_DIGITS: Final = 7  # as many as the features have


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BlockNumbers(_Strict):
    """One block: `revision` and `columns` say what the numbers belong to."""

    revision: str
    columns: tuple[str, ...] = Field(strict=False)
    l2: Annotated[FiniteFloat, Field(ge=0)]
    mean: list[FiniteFloat]
    scale: list[Annotated[FiniteFloat, Field(gt=0)]]
    weights: list[FiniteFloat]

    @model_validator(mode="after")
    def _of_one_length(self) -> "BlockNumbers":
        lengths = {len(self.mean), len(self.scale), len(self.weights), len(self.columns) or len(self.mean)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("columns, mean, scale and weights differ in length")
        return self


class HeadNumbers(_Strict):
    """One head."""

    blocks: dict[str, BlockNumbers]
    fusion: dict[str, Annotated[FiniteFloat, Field(ge=0)]]
    temperature: Annotated[FiniteFloat, Field(gt=0)]
    tie: FiniteFloat | None

    @model_validator(mode="after")
    def _of_known_features(self) -> "HeadNumbers":
        if not self.blocks or self.blocks.keys() != self.fusion.keys():
            raise ValueError("blocks and fusion must name the same blocks, at least one")
        for name, block in self.blocks.items():
            if block.revision != REVISIONS.get(name) or block.columns != columns_of(name):
                raise ValueError(
                    f"block {name!r} was fitted on features {block.revision!r}, this Pairsmith computes "
                    f"{REVISIONS.get(name)!r}; run `pairsmith fit` again"
                )
        return self

    def head(self) -> Head:
        """The numbers as a model."""
        blocks = {
            name: BlockHead(np.array(each.mean), np.array(each.scale), np.array(each.weights), each.l2)
            for name, each in self.blocks.items()
        }
        return Head(blocks, dict(self.fusion), self.temperature, self.tie)


class FoldHead(_Strict):
    """A head of the cross-validation and the ids of the prompts it never saw."""

    prompts: list[str]
    head: HeadNumbers


class ScorerFile(_Strict):
    """The whole file.

    Prompts whose votes trained the head are scored by the head of the fold that held them out; all others by `head`.
    """

    format: Literal["pairsmith-scorer"] = "pairsmith-scorer"
    schema_version: Literal[1] = SCHEMA
    name: Annotated[str, Field(pattern=f"^(?:{NAME_PATTERN})$")]
    criterion: str
    demonstration: bool
    level: Literal["warn", "usable", "good"]
    data: dict[str, Any]
    figures: dict[str, Any]
    head: HeadNumbers
    folds: list[FoldHead] = []
    trained_on: list[str] = []
    """Ends of the ids of the prompts that trained it, for a head that ships: there it is not measured."""

    @model_validator(mode="after")
    def _says_what_it_is_worth(self) -> "ScorerFile":
        accuracy = self.figures.get("accuracy")
        if not isinstance(accuracy, dict) or not {"value", "interval", "n"} <= accuracy.keys():
            raise ValueError("figures.accuracy is missing; a head without its figures is not used")
        if not isinstance(self.figures.get("verdict"), str):
            raise ValueError("figures.verdict is missing; a head without its verdict is not used")
        if any(fold.head.blocks.keys() != self.head.blocks.keys() for fold in self.folds):
            raise ValueError("the heads of the folds have other blocks than the head")
        return self

    @property
    def revision(self) -> str:
        """A hash of every number that makes scores: with another one all scores are others."""
        numbers = {"head": self.head.model_dump(), "folds": [fold.model_dump() for fold in self.folds]}
        return hashlib.sha256(canonical_json(numbers).encode()).hexdigest()[:12]

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities may stand for a gap: fitted here, on enough votes, and more than length."""
        return not self.demonstration and self.level != "warn" and self.figures["verdict"] == "better"

    def to_json(self) -> bytes:
        """The file's content: the same for the same numbers."""
        return (json.dumps(self.model_dump(), ensure_ascii=False, allow_nan=False, indent=None) + "\n").encode("utf-8")


def numbers_of(head: Head) -> HeadNumbers:
    """A fitted head as it is written: rounded to as many digits as its features have."""

    def rounded(values: Any) -> list[float]:
        return [float(f"{value:.{_DIGITS}g}") for value in values]

    blocks = {
        name: BlockNumbers(
            revision=REVISIONS[name],
            columns=columns_of(name),
            l2=block.l2,
            mean=rounded(block.mean),
            scale=rounded(block.scale),
            weights=rounded(block.weights),
        )
        for name, block in head.blocks.items()
    }
    fusion = {name: float(value) for name, value in head.fusion.items()}
    return HeadNumbers(blocks=blocks, fusion=fusion, temperature=float(head.temperature), tie=head.tie)


def find_scorer(name: str, project: Path, key: str) -> ScorerFile:
    """The scorer called `name`: one that ships, or `scorers/NAME.json` of the project.

    Raises:
        ConfigError: there is none, or its file is not sound. `key` says who asked.
    """
    if name in SHIPPED:
        return _parsed(files("pairsmith.models").joinpath(f"heads/{name}.json").read_bytes(), f"the shipped {name}")
    path = project / FOLDER / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        known = sorted([*SHIPPED, *(each.stem for each in (project / FOLDER).glob("*.json"))])
        raise ConfigError(
            f"{key}: there is no scorer {name!r} (there are: {', '.join(known)}); make one with `pairsmith fit {name}`"
        )
    return read_scorer(path)


def read_scorer(path: Path) -> ScorerFile:
    """The scorer in a file.

    Raises:
        ConfigError: the file cannot be read, or is not a sound scorer of this version.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, which no scorer is")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    return _parsed(data, str(path))


def _parsed(data: bytes, where: str) -> ScorerFile:
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
        return ScorerFile.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(f"{where}: {place}: {first['msg']}{more}; run `pairsmith fit` again") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not the JSON of a scorer ({error}); run `pairsmith fit` again") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found
