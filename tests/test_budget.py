"""Budgets stop the run before they are crossed, and estimates say what is coming."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import BudgetConfig, GenerateConfig, PriceConfig, parse_config
from pairsmith.errors import ConfigError, Incomplete, ModelError
from pairsmith.ledger import Ledger
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.pipeline.estimating import estimate, in_words, remember_rates
from pairsmith.records import Candidate, Message, Progress, Prompt
from pairsmith.stages.generate import generate

ANSWER_TOKENS = 7
PROMPT_TOKENS = 5
PRICE = PriceConfig(input=1000.0, output=10_000.0)
COST = (PROMPT_TOKENS * PRICE.input + ANSWER_TOKENS * PRICE.output) / 1e6


class Model:
    """Answers after a while, with a bill."""

    name, slots, shares_prompt = "m", 4, False

    def __init__(self, *, counts: bool = True, seconds: float = 0.001) -> None:
        self.asked = 0
        self._usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS} if counts else {}
        self._seconds = seconds

    async def complete(self, request: ChatRequest) -> Completion:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        return Completion(f"answer {request.seed}", "stop", self._usage)

    async def close(self) -> None:
        pass


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.append([Prompt.of([Message("user", f"Question {number}?")]) for number in range(10)])
        yield opened


def run(ledger: Ledger, model: Model, **budget: Any) -> Progress:
    cfg = GenerateConfig(models=("m",), n=2, max_tokens=20, budget=BudgetConfig(**budget))
    return asyncio.run(generate(cfg, ledger, {"m": model}, seed=7, prices={"m": PRICE}))


def spent(ledger: Ledger) -> dict[str, float]:
    usages = [candidate.usage for candidate in ledger.read(Candidate)]
    tokens = sum(sum(usage.values()) for usage in usages)
    return {"max_calls": len(usages), "max_tokens": tokens, "max_cost": len(usages) * COST}


@pytest.mark.parametrize(
    ("limit", "small", "large"), [("max_calls", 7, 20), ("max_tokens", 200, 10_000), ("max_cost", 0.9, 50.0)]
)
def test_a_limit_is_never_crossed_and_raising_it_carries_on(ledger: Ledger, limit: str, small: float, large: float):
    model = Model()
    with pytest.raises(Incomplete, match=f"generate.budget.{limit} is {small:g}") as stopped:
        run(ledger, model, **{limit: small})
    assert "raise the limit and run again" in str(stopped.value)
    assert stopped.value.exit_code == 4
    first = spent(ledger)
    assert 0 < first[limit] <= small
    assert first["max_calls"] == model.asked < 20
    with pytest.raises(Incomplete):
        run(ledger, model, **{limit: small})  # all runs of a project share the limit
    assert model.asked == first["max_calls"]
    assert run(ledger, model, **{limit: large}).new == 20 - first["max_calls"]
    assert model.asked == 20


def test_calls_are_used_up_to_the_last_one(ledger: Ledger):
    model = Model()
    with pytest.raises(Incomplete):
        run(ledger, model, max_calls=19)
    assert model.asked == 19


def test_exactly_enough_is_enough(ledger: Ledger):
    assert run(ledger, Model(), max_calls=20, max_cost=1e6, max_tokens=10**9, max_minutes=5).new == 20


def test_what_the_server_does_not_count_is_charged_at_its_dearest(ledger: Ledger):
    model = Model(counts=False)
    with pytest.raises(Incomplete):
        run(ledger, model, max_tokens=400)
    assert 0 < model.asked * (20 + len("Question 0?")) <= 400
    before = model.asked
    with pytest.raises(Incomplete):
        run(ledger, model, max_tokens=400)
    assert model.asked == before


def test_time_runs_out(ledger: Ledger):
    model = Model(seconds=0.05)
    with pytest.raises(Incomplete, match="max_minutes"):
        run(ledger, model, max_minutes=0.12 / 60)
    assert 4 <= model.asked <= 12


class Lossy(Model):
    """Loses its first attempts at every answer, which are charged, perhaps without saying what they cost."""

    def __init__(self, lost: int, usage: dict[str, int]) -> None:
        super().__init__()
        self._lost, self._bill = lost, usage

    async def complete(self, request: ChatRequest) -> Completion:
        assert request.lost is not None
        for _ in range(self._lost):
            self.asked += 1
            if not await request.lost(self._bill):
                raise Incomplete("no further attempt")
        return await super().complete(request)


def test_attempts_without_an_answer_are_charged_in_this_run_and_in_later_ones(ledger: Ledger):
    model = Lossy(2, {})
    with pytest.raises(Incomplete, match="max_calls is 31"):
        run(ledger, model, max_calls=31)
    assert model.asked <= 31
    stored = list(ledger.read(Candidate))
    assert {each.usage["lost_calls"] for each in stored} == {2}
    assert len(stored) * 3 <= 31
    asked = model.asked
    with pytest.raises(Incomplete):
        run(ledger, model, max_calls=len(stored) * 3)  # the ledger knows what they cost
    assert model.asked == asked


@pytest.mark.parametrize(("usage", "each"), [({"prompt_tokens": 5, "completion_tokens": 9}, 14), ({}, 100)])
def test_a_lost_attempt_costs_what_it_says_and_else_the_most(ledger: Ledger, usage: dict[str, int], each: int):
    model = Lossy(1, usage)
    with pytest.raises(Incomplete, match="max_tokens"):
        run(ledger, model, max_tokens=450)
    stored = list(ledger.read(Candidate))
    lost = {each.usage["lost_prompt_tokens"] + each.usage["lost_completion_tokens"] for each in stored}
    assert len(lost) == 1
    assert lost == {each} if usage else lost.pop() >= each
    assert sum(sum(value for key, value in each.usage.items() if key != "lost_calls") for each in stored) <= 450


def test_an_error_after_lost_attempts_is_not_charged_twice(ledger: Ledger):
    class Hopeless(Lossy):
        async def complete(self, request: ChatRequest) -> Completion:
            await super().complete(request)
            raise ModelError("no use")

    model = Hopeless(2, {})
    with pytest.raises(Incomplete):
        run(ledger, model, max_calls=16)
    stored = list(ledger.read(Candidate))
    assert {each.error for each in stored} == {"no use"}
    assert sum(each.usage["lost_calls"] for each in stored) <= 16


def test_money_needs_prices():
    text = "models: {m: {base_url: 'http://h/v1', model: x}}\ngenerate: {models: [m], budget: {max_cost: 1}}"
    with pytest.raises(ConfigError, match=r"max_cost needs models\.m\.price"):
        parse_config(text)


def test_money_is_no_part_of_identity():
    text = "models: {{m: {{kind: local, price: {{input: {0}, output: 1}}}}}}\ngenerate: {{budget: {{max_cost: {0}}}}}"
    assert parse_config(text.format(1)).identity() == parse_config(text.format(2)).identity()


def test_an_estimate_goes_by_what_is_known(ledger: Ledger, tmp_path: Path):
    config = parse_config(
        "seed: 7\nmodels: {m: {base_url: 'http://h/v1', model: x, price: {input: 1000, output: 10000}}}\n"
        "generate: {models: [m], n: 2, max_tokens: 20}"
    )
    before = estimate(tmp_path, config, ledger)
    assert (before["calls"], before["completion_tokens"], before["seconds"]) == (20, 400, None)
    assert (
        before["cost"] == before["cost_at_most"] == pytest.approx((before["prompt_tokens"] * 1000 + 400 * 10000) / 1e6)
    )
    assert in_words(before).endswith("time not known before a first run")
    model = Model()
    with pytest.raises(Incomplete):
        run(ledger, model, max_calls=10)
    progress = Progress("generate", 20, 0, 10, details={"models": {"m": {"tokens_per_second": 35.0}}})
    remember_rates(tmp_path, config, progress)
    after = estimate(tmp_path, config, ledger)
    assert (after["calls"], after["completion_tokens"], after["seconds"]) == (10, 10 * ANSWER_TOKENS, 2.0)
    assert after["cost"] < after["cost_at_most"]
    assert "about 2 s" in in_words(after)


def test_the_local_model_has_a_projection_before_its_first_run(ledger: Ledger, tmp_path: Path):
    config = parse_config("models: {s: {kind: local}}\ngenerate: {models: [s], max_tokens: 95}\nruntime: {workers: 2}")
    assert estimate(tmp_path, config, ledger)["seconds"] == pytest.approx(40 * 95 / (2 * 95))


def test_a_damaged_cache_is_no_cache(ledger: Ledger, tmp_path: Path):
    config = parse_config("models: {m: {base_url: 'http://h/v1', model: x}}\ngenerate: {models: [m]}")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "generate-rates.json").write_text("[1, 2")
    assert estimate(tmp_path, config, ledger)["seconds"] is None
