"""The section `resolve` of `pairsmith.yaml`: how votes become labels, which of them stand, and which become pairs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pairsmith.config.section import Section, Share

__all__ = ["ConflictsConfig", "ResolveConfig", "SelectConfig"]

Rule = Literal["lighter", "all", "queue", "keep"]
Correction = Literal["unstable_to_tie", "position", "length"]


class ConflictsConfig(Section):
    """Preferences that cannot all stand: what each rule does is on docs/reference/conflicts.md."""

    both_ways: Rule = "lighter"
    """The same two responses to one prompt preferred in both directions."""
    cycles: Rule = "lighter"
    """Preferences of one prompt in a circle: A over B over C over A."""
    contradictory: Rule = "keep"
    """Near-identical prompts whose preferences point opposite ways; by default only reported, since prompts made from
    one template look alike without asking the same."""
    groups: dict[str, str] = Field(default={})
    """Group of annotators by the beginning of their names, as in `{nurse: clinicians, user: patients}`."""
    domains: Literal["report", "split_dataset", "add_context"] = "report"
    """Groups or categories that disagree: only `report`, write a dataset for each, or add a line to the prompt."""
    context: dict[str, str] = Field(default={})
    """For `add_context`: the line put in front of the prompt, by group or category."""

    @model_validator(mode="after")
    def _context_is_given(self) -> "ConflictsConfig":
        if self.domains == "add_context" and not self.context:
            raise ValueError("`domains: add_context` needs the lines to add under `context`, by group or category")
        return self


class SelectConfig(Section):
    """Which of the resolved pairs of a prompt become rows; the trims are applied in the order of this table."""

    policy: Literal["all", "best_worst", "adjacent", "all_above_margin", "mu_minus_2sigma", "random_below_chosen"] = (
        "all"
    )
    """How pairs are picked among those that were compared; see docs/reference/selection.md."""
    margin: Share = 0.15
    """For `all_above_margin`, and what `refill_to` adds to it: smallest difference of the candidates' scores."""
    max_pairs_per_prompt: int | None = Field(default=None, ge=1)
    """Keep at most so many pairs of one prompt, those with the largest difference in score."""
    length_balanced: bool = False
    """Leave out pairs until the chosen response is the longer one in half of them."""
    refill_to: int | None = Field(default=None, ge=1)
    """Take pairs back in until there are so many: prompts with the fewest first."""


class ResolveConfig(Section):
    """Stage 4: from many votes to one winner, or a reason why there is none."""

    method: Literal["majority", "map", "dawid_skene", "auto"] = "majority"
    """`majority` counts; `map` and `dawid_skene` also estimate how reliable each annotator is; `auto` decides."""
    accuracy_prior: tuple[Annotated[float, Field(ge=1)], Annotated[float, Field(ge=1)]] = (8.0, 4.0)
    """Beta prior on an annotator's accuracy: one more than the right and wrong verdicts each is taken to have given."""
    min_agreement: Share = 0.6
    """Counting votes: pairs whose winner has a smaller share of all votes (ties and unsure counted) are dropped."""
    min_confidence: Share = 0.5
    """With a model of annotators or calibrated scores: pairs whose winner is less probable are dropped."""
    min_votes: Annotated[int, Field(ge=1)] = 1
    """Pairs with fewer votes are dropped."""
    max_votes: Annotated[int, Field(ge=1)] = 5
    """Undecided pairs that further votes can decide within this number are queued for them in `queue.jsonl`."""
    gold_annotators: tuple[str, ...] = ()
    """Annotators whose verdicts are the truth: they decide, and the others are measured by them."""
    gold_weights: bool = False
    """Counting votes: each counts by its annotator's accuracy on the pairs whose truth is known."""
    exclude_annotators: tuple[str, ...] = ()
    """Annotators whose votes are left out."""
    exclude_anomalous: bool = False
    """Leave out the votes of annotators whose votes do not come from reading, and count colluding ones once."""
    anchor: Literal["measured", "required", "alike"] = "measured"
    """Votes of models count by their accuracy on people's labels; `required`: or not at all; `alike`: as cast."""
    combine: Literal["separate", "calibrated"] = "separate"
    """`calibrated` fits judges and scorers to people's votes; `separate` counts all votes alike."""
    calibration: Literal["temperature", "isotonic"] = "temperature"
    """Curve of `combine: calibrated`; `isotonic` wants a few hundred pairs that people labelled."""
    corrections: tuple[Correction, ...] = ()
    """Biases to take out of the labels; see docs/reference/consensus.md."""
    diverged: Literal["prefix", "drop"] = "prefix"
    """Sides with different earlier turns: `prefix` makes everything after the shared turns the completion."""
    conflicts: ConflictsConfig = ConflictsConfig()
    """Preferences that cannot all stand."""
    select: SelectConfig = SelectConfig()
    """Which resolved pairs become rows."""
