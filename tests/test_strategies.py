"""What the strategies ask for, and the laws of the stage for each of them."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import AnnotateConfig, GenerateConfig, StrategyConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.ledger import Ledger
from pairsmith.measures.edits import word_edits
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.records import Candidate, Message, Prompt
from pairsmith.stages.asking import EDIT_INSTRUCTION, corrupted
from pairsmith.stages.comparisons import draw_comparisons
from pairsmith.stages.generate import asks_missing, generate
from pairsmith.stages.strategies import planned

QUESTION = "Name seven rivers of Europe and say into which sea each of them flows, please."


def prompt(number: int = 0, system: str = "") -> Prompt:
    turns = [Message("system", system)] if system else []
    return Prompt.of([*turns, Message("user", f"{number}: {QUESTION}")])


def config(*strategies: Mapping[str, Any], **settings: Any) -> GenerateConfig:
    return GenerateConfig(
        **{"models": ("m",), "n": 2, "strategies": [StrategyConfig(**each) for each in strategies], **settings}
    )


def words_of(request: ChatRequest) -> str:
    """An answer that depends on everything that is asked."""
    rng = random.Random(repr(request))
    return " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(12))


class Model:
    """A chat model whose answer is a function of the request; it keeps what it was asked."""

    def __init__(self, name: str, answer: Callable[[ChatRequest], str | Completion] = words_of) -> None:
        self.name, self.slots, self.shares_prompt = name, 3, False
        self.asked: list[ChatRequest] = []
        self._answer = answer

    async def complete(self, request: ChatRequest) -> Completion:
        self.asked.append(request)
        await asyncio.sleep(0)
        said = self._answer(request)
        return said if isinstance(said, Completion) else Completion(said, "stop", {"completion_tokens": 3})

    async def close(self) -> None:
        pass


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def run(ledger: Ledger, cfg: GenerateConfig, *models: Model, seed: int = 7) -> Any:
    return asyncio.run(generate(cfg, ledger, {model.name: model for model in models}, seed=seed))


def candidates(ledger: Ledger) -> list[Candidate]:
    return list(ledger.read(Candidate))


def test_the_default_is_sampling_and_asks_what_it_always_asked():
    cfg = GenerateConfig(models=("m",), n=2, system="Be brief.")
    asks = planned(cfg, prompt(), seed=7)
    # These ids stand in the ledgers of earlier versions: another one would pay for the same answer again.
    assert [ask.id for ask in asks] == ["cnd_e51790f3bd949a44571b9084", "cnd_768a6af33996b53416f4fefd"]
    assert asks == planned(config({"name": "sample"}, system="Be brief."), prompt(), seed=7)
    assert [set(ask.params) for ask in asks] == [{"temperature", "top_p", "max_tokens", "system", "seed"}] * 2


def test_a_ladder_gives_each_sample_its_temperature(ledger: Ledger):
    asks = planned(config({"name": "sample", "temperatures": [0.2, 1.0], "n": 3}), prompt(), seed=7)
    assert [ask.request().temperature for ask in asks] == [0.2, 1.0, 0.2]
    plain = planned(config({"name": "sample", "temperature": 0.2, "n": 1}), prompt(), seed=7)
    assert plain[0].id == asks[0].id  # the same question, whoever asks it


def test_models_have_voices_of_their_own():
    cfg = config(
        {"name": "models", "members": [{"model": "a", "system": "Brief."}, {"model": "b", "n": 1, "top_p": 0.5}]}
    )
    asks = planned(cfg, prompt(), seed=7)
    assert [(ask.model, ask.params.get("system"), ask.params["top_p"], ask.origin) for ask in asks] == [
        ("a", "Brief.", 0.9, "model"),
        ("a", "Brief.", 0.9, "model"),
        ("b", None, 0.5, "model"),
    ]
    assert cfg.asks() == ("a", "b")


def test_strategies_add_up_and_ask_no_question_twice():
    sample, members = (
        {"name": "sample"},
        {"name": "models", "members": [{"model": "m"}, {"model": "m", "temperature": 1.5}]},
    )
    both = planned(config(sample, members), prompt(), seed=7)
    assert len(both) == len({ask.id for ask in both}) == 4
    assert {ask.id for ask in planned(config(sample), prompt(), seed=7)} < {ask.id for ask in both}


def test_hybrid_marks_sides_and_can_keep_to_answered_prompts(ledger: Ledger):
    given = [prompt(0), prompt(1)]
    brought = Candidate.imported(given[1].id, "The Danube, into the Black Sea.", origin="human")
    ledger.append([*given, brought])
    run(
        ledger,
        config({"name": "hybrid", "strong": ["s"], "weak": ["w"], "n": 1, "prompts": "answered"}),
        Model("s"),
        Model("w"),
    )
    assert Counter((each.prompt_id, each.model, each.origin) for each in candidates(ledger)) == Counter(
        [(given[1].id, "", "human"), (given[1].id, "s", "strong"), (given[1].id, "w", "weak")]
    )


def test_the_strong_side_of_one_model_is_another_draw_than_its_samples():
    asks = planned(config({"name": "sample"}, {"name": "hybrid", "strong": ["m"]}), prompt(), seed=7)
    assert len({ask.params["seed"] for ask in asks}) == 4


@pytest.mark.parametrize("kind", ["truncate", "drop_words", "shuffle_words"])
def test_a_spoilt_prompt_is_asked_and_recorded(ledger: Ledger, kind: str):
    ledger.append([prompt(system="Be kind.")])
    strong, weak = Model("s"), Model("w")
    run(
        ledger,
        config({"name": "strong_weak", "strong": ["s"], "weak": ["w"], "corruptions": [kind], "n": 2}),
        strong,
        weak,
    )
    good, bad = ([each for each in candidates(ledger) if each.origin == origin] for origin in ("strong", "corrupted"))
    assert (len(good), len(bad)) == (2, 2)
    assert all("asked" not in each.params for each in good)
    original = f"0: {QUESTION}".split()
    for candidate, request in zip(
        sorted(bad, key=lambda each: each.sample), sorted(weak.asked, key=lambda r: r.seed), strict=True
    ):
        assert candidate.params["corruption"] == kind
        assert request.messages[0] == Message("system", "Be kind.")
        assert request.messages[1].content in {each.params["asked"] for each in bad}
        spoilt = candidate.params["asked"].split()
        assert spoilt != original
        assert not Counter(spoilt) - Counter(original)


def test_without_a_weak_model_the_strong_one_answers_the_spoilt_prompt():
    cfg = config({"name": "strong_weak", "strong": ["s"], "corruptions": ["truncate"], "n": 1})
    assert [(ask.model, ask.origin) for ask in planned(cfg, prompt(), seed=7)] == [("s", "strong"), ("s", "corrupted")]


def test_what_is_too_short_is_not_spoilt():
    short = Prompt.of([Message("user", "Why?")])
    assert [corrupted(short, kind, 1) for kind in ("truncate", "drop_words", "shuffle_words")] == ["", "", ""]
    cfg = config({"name": "strong_weak", "strong": ["s"], "corruptions": ["truncate"], "n": 1})
    assert [ask.origin for ask in planned(cfg, short, seed=7)] == ["strong"]
    assert corrupted(Prompt.of([Message("system", "No question here.")]), "truncate", 1) == ""


@pytest.mark.parametrize("system", ["", "Be kind."])
def test_contrast_asks_to_follow_and_to_violate(ledger: Ledger, system: str):
    ledger.append([prompt(system=system)])
    model = Model("m")
    run(ledger, config({"name": "contrast", "model": "m", "guideline": "Name sources.", "n": 1}), model)
    assert {(each.origin, each.params["side"], each.params["guideline"]) for each in candidates(ledger)} == {
        ("contrast", "follow", "Name sources."),
        ("contrast", "violate", "Name sources."),
    }
    for request in model.asked:
        assert [turn.role for turn in request.messages] == ["system", "user"]  # some templates refuse two system turns
        assert request.messages[0].content.startswith(system)
        assert request.messages[0].content.endswith("Name sources.")


def test_edits_improve_the_responses_of_others_and_keep_the_difference(ledger: Ledger):
    ledger.append([prompt(), Candidate.imported(prompt().id, "All rivers flow uphill.")])
    weak, editor = Model("w", lambda request: f"The Rhine {request.seed} flows."), Model("e", edit_of)
    cfg = config({"name": "sample", "models": ["w"]}, {"name": "edit", "model": "e", "of": ["w", "imported"], "n": 9})
    progress = run(ledger, cfg, weak, editor)
    assert (progress.wanted, progress.new, progress.details["origins"]) == (5, 5, {"edited": 3, "model": 2})
    by_id = {each.id: each for each in candidates(ledger)}
    edits = [each for each in by_id.values() if each.origin == "edited"]
    for edit in edits:
        source = by_id[edit.params["of"]]
        assert edit.text == source.text.replace("flow", "gently flow")
        assert edit.engine["edit"]["changes"][0][1].startswith("gently ")
        assert edit.params["instruction"] == EDIT_INSTRUCTION
    assert [turn.role for turn in editor.asked[0].messages] == ["user", "assistant", "user"]
    again = run(ledger, cfg, weak, editor)
    assert (again.wanted, again.present, again.new) == (5, 5, 0)
    assert len(editor.asked) == 3


def edit_of(request: ChatRequest) -> str:
    return request.messages[-2].content.replace("flow", "gently flow")


def test_an_edit_meets_its_original_even_where_few_pairs_are_drawn(ledger: Ledger):
    ledger.append([prompt()])
    cfg = config(
        {"name": "sample", "n": 8},
        {"name": "edit", "model": "e", "of": ["m"], "n": 1},
        {"name": "sample", "models": ["o"]},
    )
    run(ledger, cfg, Model("m"), Model("e", lambda request: f"{request.messages[-2].content} more"), Model("o"))
    (edit,) = (each for each in candidates(ledger) if each.origin == "edited")
    drawn, _ = draw_comparisons(AnnotateConfig(max_per_prompt=1), candidates(ledger), [], seed=1)
    assert [{each.a, each.b} for each in drawn] == [{edit.id, edit.params["of"]}]


def test_word_edits_give_both_texts_back():
    rng = random.Random(3)
    for _ in range(50):
        before, after = (" ".join(rng.choices(["a", "b", "c", "d\n"], k=rng.randint(0, 12))) for _ in range(2))
        edits = word_edits(before, after)
        assert sum(len(was) for was, _ in edits["changes"]) <= len(before)
        assert sum(len(now) for _, now in edits["changes"]) <= len(after)
        assert (edits["changes"] == []) == (before == after)
    assert word_edits("", "new")["changes"] == [["", "new"]]


def test_a_repetition_is_asked_again_hotter_and_gives_way(ledger: Ledger):
    ledger.append([prompt()])

    def answer(request: ChatRequest) -> str:
        return QUESTION if request.temperature < 1 else words_of(request)

    model = Model("m", answer)
    cfg = config({"name": "sample"}, n=3)
    progress = run(ledger, cfg, model)
    assert (progress.wanted, progress.new, progress.details["asked_again"]) == (5, 5, 2)
    assert sorted(request.temperature for request in model.asked) == [
        0.8,
        0.8,
        0.8,
        pytest.approx(1.1),
        pytest.approx(1.1),
    ]
    drawn, left_out = draw_comparisons(AnnotateConfig(), candidates(ledger), [], seed=1)
    assert (len(drawn), left_out["replaced"]) == (3, 2)
    assert run(ledger, cfg, model).new == 0


def test_what_always_says_the_same_is_asked_again_so_often_and_no_more(ledger: Ledger):
    ledger.append([prompt()])
    model = Model("m", lambda _: QUESTION)
    run(ledger, config({"name": "sample"}, distinct={"attempts": 2, "hotter": 1.0}, n=3), model)
    assert Counter(request.temperature for request in model.asked) == {0.8: 3, 1.8: 2, 2.0: 2}
    assert len({request.seed for request in model.asked}) == 7


def test_repetitions_can_be_left_alone(ledger: Ledger):
    ledger.append([prompt()])
    assert run(ledger, config({"name": "sample"}, distinct={"attempts": 0}), Model("m", lambda _: QUESTION)).wanted == 2


def test_a_second_attempt_that_fails_leaves_the_first_in_place(ledger: Ledger):
    ledger.append([prompt()])

    def answer(request: ChatRequest) -> str:
        if request.temperature > 1:
            raise ModelError("refused")
        return QUESTION

    run(ledger, config({"name": "sample"}), Model("m", answer))
    _, left_out = draw_comparisons(AnnotateConfig(), candidates(ledger), [], seed=1)
    assert (left_out["replaced"], left_out["error"], left_out["identical"]) == (0, 1, 1)


STRATEGIES: tuple[dict[str, Any], ...] = (
    {"name": "sample", "temperatures": [0.2, 0.9]},
    {"name": "models", "members": [{"model": "w", "n": 1, "system": "Brief."}]},
    {"name": "hybrid", "strong": ["m"], "weak": ["w"], "prompts": "answered"},
    {"name": "strong_weak", "strong": ["m"], "corruptions": ["truncate", "shuffle_words"]},
    {"name": "contrast", "model": "m", "guideline": "Be polite.", "n": 1},
    {"name": "edit", "model": "e", "of": ["weak", "m", "imported"], "n": 3},
)
EVERYTHING = config(*STRATEGIES)


def world() -> list[Prompt | Candidate]:
    given = [prompt(number) for number in range(4)]
    return [
        *given,
        Candidate.imported(given[2].id, "It flows somewhere."),
        Candidate.imported(given[3].id, "Into the sea."),
    ]


def answer_of_everything(request: ChatRequest) -> str:
    """Some answers repeat each other: what follows from answers is part of the law."""
    return QUESTION if request.seed % 3 == 0 and request.temperature < 1.2 else words_of(request)


def models(answer: Callable[[ChatRequest], str] = answer_of_everything) -> list[Model]:
    return [Model(name, answer) for name in "mwe"]


WITHOUT_EDITS = config(*(each for each in STRATEGIES if each["name"] != "edit"))


@pytest.mark.parametrize(
    ("cfg", "stop_after"),
    [*itertools.product([EVERYTHING], [1, 5, 17, 33, 47, 55]), *itertools.product([WITHOUT_EDITS], [1, 5, 17, 33])],
    ids=lambda each: each if isinstance(each, int) else "everything" if each is EVERYTHING else "without edits",
)
def test_stopped_anywhere_and_run_again_is_one_clean_run(
    ledger: Ledger, tmp_path: Path, cfg: GenerateConfig, stop_after: int
):
    with Ledger.open(tmp_path / "clean.sqlite") as clean:
        clean.append(world())
        progress = run(clean, cfg, *models())
        expected = {each.id: each for each in candidates(clean)}
    assert progress.details["asked_again"] > 3
    assert set(progress.details["origins"]) - {"edited"} == {"model", "strong", "weak", "corrupted", "contrast"}
    assert ("edited" in progress.details["origins"]) == (cfg is EVERYTHING)
    ledger.append(reversed(world()))
    count = itertools.count()

    def failing(request: ChatRequest) -> str:
        if next(count) >= stop_after:
            raise ModelUnavailable("down")
        return answer_of_everything(request)

    with pytest.raises(ModelUnavailable):
        run(ledger, cfg, *models(failing))
    held = len(candidates(ledger))
    finished = models()
    again = run(ledger, cfg, *finished)
    assert again.present == held - 2
    assert sum(len(model.asked) for model in finished) == again.new
    assert {each.id: each for each in candidates(ledger)} == expected
    assert not list(asks_missing(cfg, ledger, seed=7))


class Looked(Ledger):
    """Notes the prompts whose candidates are looked up."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.looked: list[str] = []

    def where(self, kind: type[Any], column: str, values: Sequence[str]) -> Iterator[Any]:
        assert (kind, column) == (Candidate, "prompt_id")
        self.looked += values
        return super().where(kind, column, values)


@pytest.mark.parametrize("stop_after", [None, 7])
def test_of_prompts_drawn_as_a_whole_only_those_that_repeat_themselves_are_looked_at_again(
    tmp_path: Path, stop_after: int | None
):
    given = [prompt(number) for number in range(6)]
    repeated = given[4]
    count = itertools.count()

    def answer(request: ChatRequest) -> str:
        if next(count) == stop_after:
            raise ModelUnavailable("down")
        return QUESTION if request.messages == repeated.messages and request.temperature < 1 else words_of(request)

    cfg = config({"name": "sample"}, {"name": "models", "members": [{"model": "w"}]}, n=2)
    with Looked.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(given)
        if stop_after is not None:
            with pytest.raises(ModelUnavailable):
                run(ledger, cfg, Model("m", answer), Model("w", answer))
        drawn = Counter(each.prompt_id for each in candidates(ledger))
        assert not ledger.looked
        progress = run(ledger, cfg, Model("m", answer), Model("w", answer))
        assert progress.details["asked_again"] == 3
        assert set(ledger.looked) == {repeated.id, *drawn}
        assert len(candidates(ledger)) == 6 * 4 + 3


def test_looping_answers_are_marked_and_the_servers_reason_is_kept(ledger: Ledger):
    ledger.append([prompt()])
    model = Model("m", lambda _: Completion("and then the river goes on " * 30, "length"))
    progress = run(ledger, config({"name": "sample"}, n=1), model)
    (candidate,) = candidates(ledger)
    assert (candidate.finish_reason, candidate.error) == ("looping", "")
    assert candidate.engine["finish_reason"] == "length"
    assert progress.details["marked"] == {"looping": 1}
    assert "not eligible as chosen: 1 looping" in progress.notes
