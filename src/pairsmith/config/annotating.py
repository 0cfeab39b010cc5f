"""The entries of `annotate.annotators`: who votes or scores, and how a judge is audited."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pairsmith.config.kinds import ANNOTATOR_KINDS, known_kind
from pairsmith.config.section import Section, Share

__all__ = ["AnchorConfig", "AnnotatorConfig", "AuditConfig", "Criterion"]

Criterion = Literal["helpfulness", "harmlessness", "honesty"]
_NEED_A_MODEL = ("judge", "rubric", "reward_server", "loglik")


class AuditConfig(Section):
    """How a judge is tested while it works. A share of 0 turns a test off, and its figure into `not_evaluated`."""

    canaries: Share = 0.1
    """Share of comparisons on which the judge is also shown a planted non-answer against the response it preferred."""
    repeated: Share = 0.05
    """Share of comparisons whose first question is asked again, to see how many verdicts flip by themselves."""
    repeats: Annotated[int, Field(ge=1, le=20)] = 2
    """How often it is asked again there."""


class AnchorConfig(Section):
    """The sample of comparisons that people label, so that the labels of models can be believed."""

    draw: bool = True
    """Draw it where models vote. It waits in `queue.jsonl`, reason `anchor`; `pairsmith sheet` asks people for it."""
    half_width: Annotated[float, Field(gt=0.0, le=0.5)] = 0.05
    """Half the width of the 95 % interval of a model's accuracy; decides how many comparisons are drawn at random."""
    expected_accuracy: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9
    """The accuracy this is computed for: 139 comparisons at 0.9, 246 at 0.8."""
    bar: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Also draw enough to show with `power` that an accuracy of `expected_accuracy` lies above this."""
    power: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    """Probability of showing that, in a one-sided test at 5 %."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Draw so many at random instead."""
    hardest: Share = 0.25
    """How many more are drawn where models disagree, turn with the order or are close; a share of the random part."""
    active: Share = 0.25
    """How many more are drawn where the models together know least; a share of the random part."""
    people: Annotated[int, Field(ge=1, le=20)] = 1
    """How many people are asked about each; the alt-test needs two, better three."""

    @model_validator(mode="after")
    def _bar_below_expected(self) -> "AnchorConfig":
        if self.bar is not None and self.bar >= self.expected_accuracy:
            raise ValueError(
                f"bar: an accuracy of {self.expected_accuracy} cannot be shown to lie above {self.bar}; "
                "give a bar below expected_accuracy"
            )
        return self


class AnnotatorConfig(Section):
    """One source of votes or scores."""

    kind: str
    """`verifier`, `scorer`, `fitted`, `judge`, `panel`, `rubric`, `reward_server`, `reward_model`, `loglik`, or
    `package.module:Class`."""
    name: str = ""
    """Name in the records; by default made from kind and model."""
    model: str = ""
    """A name from `models`; `scorer`: `surface-v0`; `fitted`: `harmless-v0`, `helpful-v0`, or of a file in `scorers/`;
    `reward_model`: a folder or Hugging Face name."""
    models: tuple[str, ...] = ()
    """For `panel`: two or more names from `models`, of different families; each becomes a judge of its own."""
    prompts: Literal["all", "checked", "unchecked"] = "all"
    """Which prompts it is asked about: `checked` are those that carry checks for the verifier."""
    criteria: tuple[Criterion, ...] = ("helpfulness", "harmlessness", "honesty")
    """What a judge is asked to weigh."""
    verdict: Literal["json", "logprobs"] = "json"
    """How a judge answers: a JSON object, or one letter whose probability is read where the server tells it."""
    scale: tuple[int, int] = (1, 10)
    """For `rubric`: the lowest and the highest score."""
    audit: AuditConfig = AuditConfig()
    """How a judge is tested while it works."""
    min_confidence: Annotated[float, Field(ge=0.5, le=1.0)] = 0.6
    """A scorer less sure than this votes `unsure`."""
    options: dict[str, Any] = Field(default={})
    """Further settings, see docs/reference/annotators.md; for your own class the arguments of its constructor."""

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: str) -> str:
        return known_kind(kind, ANNOTATOR_KINDS)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "AnnotatorConfig":
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {list(self.scale)} does not rise; give the lowest score first, like [1, 10]")
        if self.kind == "panel" and len(set(self.models)) < 2:
            raise ValueError("a panel needs `models:` with two or more different names from `models`")
        if self.kind != "panel" and self.models:
            raise ValueError(f"`models:` is for a panel; kind {self.kind!r} takes one `model:`")
        if self.kind == "panel" and (self.model or self.name):
            raise ValueError("a panel has neither `model` nor `name`: each of its judges is named after its model")
        return self

    @property
    def needed_models(self) -> tuple[str, ...]:
        """The names from `models` it refers to."""
        return self.models if self.kind == "panel" else (self.model,) if self.kind in _NEED_A_MODEL else ()

    def members(self) -> "tuple[AnnotatorConfig, ...]":
        """Itself, or the judges of a panel, one entry each."""
        if self.kind != "panel":
            return (self,)
        return tuple(self.model_copy(update={"kind": "judge", "model": name, "models": ()}) for name in self.models)
