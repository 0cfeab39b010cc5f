"""From configuration to annotators."""

import pytest

from pairsmith.config import AnnotatorConfig, ModelConfig, parse_config
from pairsmith.errors import ConfigError
from pairsmith.models.annotators import expand_panels, open_annotator
from pairsmith.models.judge import Judge
from pairsmith.models.protocols import Annotator, ChatModel
from pairsmith.models.rubric import Rubric
from pairsmith.models.scorers import ScorerAnnotator
from pairsmith.models.verifier import Verifier
from pairsmith.records import Candidate, Prompt
from tests.models.scripted import ScriptedChat, prefers_the_longer

MODELS: dict[str, ChatModel] = {"big": ScriptedChat(prefers_the_longer)}


class OwnScorer:
    """A scorer of a user."""

    name = "own"
    scale = (0.0, 10.0)

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def score(self, prompt: Prompt, candidate: Candidate) -> float:
        return self.factor * (len(candidate.text) - len(prompt.text))


class OwnAnnotator(Verifier):
    """An annotator of a user."""


class Neither:
    """Something else."""


def opened(**config: object) -> Annotator:
    return open_annotator(AnnotatorConfig.model_validate(config), MODELS, seed=1, guideline="v1-00")


@pytest.mark.parametrize(
    "config, kind, name",
    [
        ({"kind": "verifier"}, Verifier, "verifier"),
        ({"kind": "verifier", "name": "rules"}, Verifier, "rules"),
        ({"kind": "scorer"}, ScorerAnnotator, "scorer:surface-v0"),
        ({"kind": "scorer", "model": "surface-v0", "name": "s"}, ScorerAnnotator, "s"),
        ({"kind": "judge", "model": "big"}, Judge, "judge:big"),
        ({"kind": "judge", "model": "big", "verdict": "logprobs"}, Judge, "judge:big"),
        ({"kind": "rubric", "model": "big", "scale": [0, 5]}, Rubric, "rubric:big"),
        ({"kind": f"{__name__}:OwnScorer", "options": {"factor": 2.0}}, ScorerAnnotator, "scorer:own"),
        ({"kind": f"{__name__}:OwnAnnotator", "options": {"name": "mine"}, "name": "mine"}, OwnAnnotator, "mine"),
    ],
)
def test_kinds_and_names(config, kind, name):
    annotator = opened(**config)
    assert type(annotator) is kind
    assert annotator.name == name


def test_only_judges_follow_guidelines():
    assert opened(kind="judge", model="big").guideline == "v1-00/judge1:helpfulness+harmlessness+honesty"
    assert opened(kind="verifier").guideline == opened(kind="scorer").guideline == ""


@pytest.mark.parametrize(
    "config, message",
    [
        ({"kind": "judge"}, "a judge needs `model:`"),
        ({"kind": "rubric"}, "a rubric needs `model:`"),
        ({"kind": "judge", "model": "big", "criteria": []}, "no criteria"),
        (
            {"kind": "judge", "model": "big", "options": {"max_token": 5}},
            "no option 'max_token' .options: max_tokens, family",
        ),
        ({"kind": "judge", "model": "big", "options": {"max_tokens": 0}}, "cannot be 0"),
        ({"kind": "scorer", "model": "huge"}, "no scorer 'huge'"),
        ({"kind": "verifier", "options": {"x": 1}}, "no option 'x'"),
        ({"kind": "verifier", "options": {"sandbox": "none"}}, "option 'sandbox' cannot be 'none'"),
        ({"kind": f"{__name__}:Neither"}, "neither an annotator"),
        ({"kind": f"{__name__}:OwnScorer", "options": {"x": 1}}, "does not take these options"),
        ({"kind": f"{__name__}:OwnAnnotator", "name": "other"}, "calls itself 'verifier'"),
    ],
)
def test_what_cannot_be_opened_says_why(config, message):
    with pytest.raises(ConfigError, match=message):
        opened(**config)


SECTIONS = {
    "one": ModelConfig(model="meta-llama/Llama-3.1-8B-Instruct"),
    "two": ModelConfig(model="Qwen2.5-7B-Instruct"),
    "three": ModelConfig(model="vicuna-13b"),
}


def panel(*models: str) -> AnnotatorConfig:
    return AnnotatorConfig.model_validate({"kind": "panel", "models": models, "criteria": ["honesty"]})


def test_a_panel_is_several_judges_with_their_families():
    members = expand_panels([panel("one", "two"), AnnotatorConfig(kind="verifier")], SECTIONS)
    assert [(each.kind, each.model, each.options.get("family")) for each in members] == [
        ("judge", "one", "llama"),
        ("judge", "two", "qwen"),
        ("verifier", "", None),
    ]
    assert all(each.criteria == ("honesty",) for each in members[:2])


def test_a_panel_of_relatives_is_refused():
    with pytest.raises(ConfigError, match="one, three are all of the family 'llama'"):
        expand_panels([panel("one", "three")], SECTIONS)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{kind: panel, models: [one]}", "two or more different names"),
        ("{kind: panel, models: [one, one]}", "two or more different names"),
        ("{kind: panel, models: [one, two], model: one}", "neither `model` nor `name`"),
        ("{kind: judge, model: one, models: [two]}", "`models:` is for a panel"),
        ("{kind: panel, models: [one, nobody]}", "names the model 'nobody'"),
        ("{kind: rubric, model: nobody}", "names the model 'nobody'"),
        ("{kind: rubric, model: one, scale: [10, 1]}", "does not rise"),
    ],
)
def test_entries_that_cannot_work_are_errors_of_the_configuration(entry, message):
    text = f"models: {{one: {{}}, two: {{}}}}\nannotate: {{annotators: [{entry}]}}"
    with pytest.raises(ConfigError, match=message):
        parse_config(text)
