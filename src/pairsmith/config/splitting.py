"""The section `split` of `pairsmith.yaml`."""

import math
import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from pairsmith.config.section import Section

__all__ = ["SplitConfig"]

# What may name a split of a dataset on the Hugging Face hub, and a file on any system.
_PART_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DEVICE: Final = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_TAKEN_NAMES: Final = frozenset({"all", "preference_pairs", "dropped", "queue", "conflicts", "contamination"})
"""`all` means every part to the library `datasets`; the others are files of a build."""
_SHARES_TOLERANCE: Final = 1e-9


class SplitConfig(Section):
    """Stage 6: parts for training, validation and more that share no similar prompts."""

    train: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    """Share of the training part; the rest is validation. Short for `parts` with these two."""
    parts: dict[str, Annotated[float, Field(gt=0.0, lt=1.0)]] = Field(default={})
    """Shares of any number of parts by name, adding up to 1, as in `{train: 0.8, validation: 0.1, test: 0.1}`."""
    stratify: tuple[Literal["category", "difficulty", "source"], ...] = ("category",)
    """Attributes whose shares are kept equal in all parts."""
    similarity: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Prompts with at least this Jaccard similarity of word 3-grams stay in one part."""

    @field_validator("parts")
    @classmethod
    def _name_files(cls, parts: dict[str, float]) -> dict[str, float]:
        for name in parts:
            if not _PART_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a part: lower-case letters, digits and _ only, at most 40")
            if name in _TAKEN_NAMES or _DEVICE.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a part: {name}.jsonl has another meaning; choose another name")
        if parts and ("train" not in parts or len(parts) < 2):
            raise ValueError(f"needs the part train and at least one other, not {', '.join(parts)}")
        if parts and abs(math.fsum(parts.values()) - 1) > _SHARES_TOLERANCE:
            raise ValueError(f"the shares add up to {math.fsum(parts.values()):.10g}, not 1")
        return parts

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.parts and "train" in self.model_fields_set:
            raise ValueError("both split.train and split.parts are given; remove split.train")
        return self

    def shares(self) -> dict[str, float]:
        """Share by part: train, validation, then the others by name. The order of the file means nothing."""
        parts = self.parts or {"train": self.train, "validation": 1 - self.train}
        usual = [name for name in ("train", "validation") if name in parts]
        return {name: parts[name] for name in [*usual, *sorted(parts.keys() - usual)]}
