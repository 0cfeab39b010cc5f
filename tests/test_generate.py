"""The laws of the stage that spends money: nothing twice, nothing lost, wherever it is stopped."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import GenerateConfig
from pairsmith.errors import LeaseHeld, ModelError, ModelUnavailable, UsageError
from pairsmith.ledger import Ledger, lease
from pairsmith.models.fake import STORM_FAULTS, FakeServer, Reply
from pairsmith.models.fake_answers import fake_reply
from pairsmith.models.fake_faults import Fault, Faults, storm
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.models.retry import RetryPolicy
from pairsmith.records import Candidate, Message, Progress, Prompt
from pairsmith.stages.generate import generate

CFG = GenerateConfig(models=("m",), n=3)
FAST = RetryPolicy(attempts=8, base_s=0.001, cap_s=0.02, trip_after=50)


def prompts(count: int, start: int = 0) -> list[Prompt]:
    return [Prompt.of([Message("user", f"Question number {each}?")]) for each in range(start, start + count)]


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def run(ledger: Ledger, server: FakeServer, cfg: GenerateConfig = CFG, **settings: Any) -> Progress:
    """One run of the stage against the server."""
    notify = settings.pop("notify", None)

    async def stage() -> Progress:
        model = OpenAIChatModel("m", server.base_url, "fake", **{"slots": 8, "policy": FAST, **settings})
        try:
            return await generate(cfg, ledger, dict.fromkeys(cfg.asks(), model), seed=7, notify=notify)
        finally:
            await model.close()

    return asyncio.run(stage())


def some_repeat(body: Mapping[str, Any]) -> str:
    """Every fifth answer is the same, unless it is asked for hot."""
    return "the same again" if body["seed"] % 5 == 0 and body["temperature"] < 1 else fake_reply(body)


def facts(ledger: Ledger) -> dict[str, Candidate]:
    """All candidates by id, without the bill for attempts that gave no answer."""
    return {
        each.id: replace(each, usage={key: value for key, value in each.usage.items() if not key.startswith("lost_")})
        for each in ledger.read(Candidate)
    }


def clean_run(
    folder: Path, given: Sequence[Prompt], cfg: GenerateConfig = CFG, reply: Reply = fake_reply
) -> dict[str, Candidate]:
    """What one undisturbed run stores."""
    with Ledger.open(folder / "clean.sqlite") as ledger, FakeServer(reply=reply) as server:
        ledger.append(given)
        run(ledger, server, cfg)
        return facts(ledger)


def test_every_sample_is_drawn_once_and_says_how(ledger: Ledger):
    ledger.append(prompts(4))
    with FakeServer(latency_s=0.01) as server:
        progress = run(ledger, server)
    assert (progress.wanted, progress.present, progress.new, progress.failed) == (12, 0, 12, 0)
    assert server.calls.total() == 12
    assert server.most_in_flight > 1
    stored = facts(ledger)
    assert len({candidate.text for candidate in stored.values()}) == 12
    for candidate in stored.values():
        params = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 512, "seed": candidate.params["seed"]}
        assert candidate.params == params
        assert candidate.id == Candidate.asked_id(candidate.prompt_id, "m", params, candidate.sample)
        assert (candidate.model, candidate.origin, candidate.finish_reason) == ("m", "model", "stop")
    assert progress.details["completion_tokens"] == sum(each.usage["completion_tokens"] for each in stored.values())
    assert progress.details["tokens_per_second"] > 0


def test_run_twice_is_run_once(ledger: Ledger):
    ledger.append(prompts(4))
    with FakeServer() as server:
        run(ledger, server)
        before, position = server.calls.total(), ledger.position()
        again = run(ledger, server)
    assert server.calls.total() == before
    assert ledger.position() == position
    assert (again.wanted, again.present, again.new, again.failed) == (12, 12, 0, 0)


def test_more_of_anything_draws_only_the_new(ledger: Ledger):
    with FakeServer() as server:
        ledger.append(prompts(3))
        run(ledger, server)
        first = facts(ledger)
        ledger.append(prompts(2, start=3))
        assert run(ledger, server).new == 6
        assert run(ledger, server, GenerateConfig(models=("m",), n=5)).new == 10
        assert run(ledger, server, GenerateConfig(models=("m", "other"), n=1)).new == 5
    assert set(server.calls.values()) == {1}
    assert first.items() <= facts(ledger).items()


def test_another_seed_or_setting_is_another_question(ledger: Ledger):
    ledger.append(prompts(1))
    with FakeServer() as server:
        run(ledger, server)
        assert run(ledger, server, GenerateConfig(models=("m",), n=3, temperature=0.5)).new == 3
        assert run(ledger, server, GenerateConfig(models=("m",), n=3, system="Be brief.")).new == 3


def test_the_system_prompt_goes_before_prompts_that_have_none(ledger: Ledger):
    bare, own = prompts(1)[0], Prompt.of([Message("system", "Mine."), Message("user", "Hello?")])
    ledger.append([bare, own])
    model = Scripted(lambda request: " ".join(turn.content for turn in request.messages))
    asyncio.run(generate(GenerateConfig(models=("m",), n=1, system="Be brief."), ledger, {"m": model}, seed=7))
    texts = {candidate.prompt_id: (candidate.text, candidate.params) for candidate in facts(ledger).values()}
    assert texts[bare.id][0] == "Be brief. Question number 0?"
    assert texts[bare.id][1]["system"] == "Be brief."
    assert texts[own.id][0] == "Mine. Hello?"
    assert "system" not in texts[own.id][1]


def test_without_models_there_is_nothing_to_do_and_it_says_so(ledger: Ledger):
    ledger.append(prompts(2))
    progress = asyncio.run(generate(GenerateConfig(), ledger, {}, seed=7))
    assert (progress.wanted, progress.new) == (0, 0)
    assert progress.notes == ("generate.models is empty: nothing to generate",)


def test_a_model_that_was_not_opened_is_a_usage_error(ledger: Ledger):
    with pytest.raises(UsageError, match=r"generate\.models names 'm'"):
        asyncio.run(generate(CFG, ledger, {}, seed=7))


def test_only_one_process_at_a_time(ledger: Ledger):
    ledger.append(prompts(1))
    with FakeServer() as server, lease(ledger, "generate"), pytest.raises(LeaseHeld):
        run(ledger, server)
    assert server.calls.total() == 0


class Scripted:
    """A chat model whose answers are a function of the request; it notes the order of requests."""

    def __init__(self, answer: Any, *, slots: int = 1, shares_prompt: bool = False) -> None:
        self.name = "m"
        self.slots = slots
        self.shares_prompt = shares_prompt
        self.asked: list[str] = []
        self._answer = answer

    async def complete(self, request: ChatRequest) -> Completion:
        self.asked.append(request.messages[-1].content)
        await asyncio.sleep(0)
        text = self._answer(request)
        return text if isinstance(text, Completion) else Completion(text, "stop")

    async def close(self) -> None:
        pass


def test_samples_of_a_prompt_follow_each_other_where_that_is_cheaper(ledger: Ledger):
    given = prompts(4)
    ledger.append(given)
    model = Scripted(lambda request: f"x {request.seed}", slots=1, shares_prompt=True)
    asyncio.run(generate(CFG, ledger, {"m": model}, seed=7))
    assert model.asked == [prompt.text for prompt in given for _ in range(3)]


@pytest.mark.parametrize("shares_prompt", [False, True])
def test_never_more_in_flight_than_slots(ledger: Ledger, shares_prompt: bool):
    ledger.append(prompts(10))
    in_flight = most = 0

    class Watched(Scripted):
        async def complete(self, _: ChatRequest) -> Completion:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(0.001)
            in_flight -= 1
            return Completion("x", "stop")

    model = Watched(None, slots=3, shares_prompt=shares_prompt)
    asyncio.run(generate(CFG, ledger, {"m": model}, seed=7))
    assert most == 3


def test_what_a_model_cannot_answer_is_a_fact_too(ledger: Ledger):
    ledger.append(prompts(6))

    def answer(request: ChatRequest) -> Completion | str:
        number = int(request.messages[-1].content.split()[2].rstrip("?"))
        if number == 1:
            raise ModelError("the prompt has 9 tokens, the context window 8")
        texts = ["", "", "lone \ud800 and \0 inside", "fine", "fine", "fine"]
        return texts[number] if number else Completion("  \n", "length")

    model = Scripted(answer)
    cfg = GenerateConfig(models=("m",), n=1)
    progress = asyncio.run(generate(cfg, ledger, {"m": model}, seed=7))
    assert (progress.wanted, progress.new, progress.failed) == (6, 4, 2)
    assert progress.notes[0].startswith("2 samples could not be had; most often: ")
    outcomes = [(each.text, each.error, each.finish_reason) for each in ledger.read(Candidate)]
    assert outcomes[:3] == [
        ("  \n", "empty", "length"),
        ("", "the prompt has 9 tokens, the context window 8", ""),
        ("lone \ufffd and \ufffd inside", "", "stop"),
    ]
    again = asyncio.run(generate(cfg, ledger, {"m": model}, seed=7))
    assert len(model.asked) == 6
    assert (again.present, again.new, again.failed) == (6, 0, 0)


def test_progress_is_told_from_the_start_to_the_end(ledger: Ledger):
    ledger.append(prompts(2))
    told: list[tuple[int, int]] = []
    with FakeServer() as server:
        run(ledger, server, notify=lambda present, wanted: told.append((present, wanted)))
    assert told == [(done, 6) for done in range(7)]


def test_a_server_that_goes_away_stops_the_run_and_running_again_carries_on(ledger: Ledger, tmp_path: Path):
    given = prompts(20)
    ledger.append(given)
    with (
        FakeServer(faults=lambda call, _: Fault("status", 503) if call >= 20 else None) as server,
        pytest.raises(ModelUnavailable),
    ):
        run(ledger, server, policy=RetryPolicy(attempts=2, base_s=0.001))
    stored = facts(ledger)
    assert 0 < len(stored) <= 20
    assert not any(candidate.error for candidate in stored.values())
    with FakeServer() as server:
        run(ledger, server)
    assert server.calls.total() == 60 - len(stored)
    assert facts(ledger) == clean_run(tmp_path, given)


def test_requests_in_flight_are_kept_when_another_fails(ledger: Ledger):
    ledger.append(prompts(8))

    def one_wrong_key(call: int, _: int) -> Fault:
        return Fault("status", 401) if call == 3 else Fault("slow", seconds=0.2)

    with FakeServer(faults=one_wrong_key) as server, pytest.raises(ModelUnavailable):
        run(ledger, server, slots=8)
    assert len(facts(ledger)) == 7
    assert server.calls.total() == 8


def test_a_cancelled_run_keeps_what_was_paid_for(ledger: Ledger, tmp_path: Path):
    given = prompts(20)
    ledger.append(given)

    async def interrupted(server: FakeServer) -> None:
        model = OpenAIChatModel("m", server.base_url, "fake", slots=4, policy=FAST)
        task = asyncio.create_task(generate(CFG, ledger, {"m": model}, seed=7))
        while server.calls.total() < 15:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.close()

    with FakeServer(latency_s=0.05) as server:
        asyncio.run(interrupted(server))
        calls = server.calls.total()
        assert len(facts(ledger)) == server.answered.total() == calls < 60
    with FakeServer() as server:
        run(ledger, server)
    assert server.calls.total() == 60 - calls
    assert facts(ledger) == clean_run(tmp_path, given)


SCRIPT = """
import asyncio, sys
from pathlib import Path
from pairsmith.config import GenerateConfig
from pairsmith.ledger import Ledger
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.retry import RetryPolicy
from pairsmith.stages.generate import generate

async def main(path, base_url):
    policy = RetryPolicy(attempts=30, base_s=0.001, cap_s=0.02, trip_after=50)
    model = OpenAIChatModel("m", base_url, "fake", slots=8, timeout_s=30, policy=policy)
    with Ledger.open(Path(path)) as ledger:
        await generate(cfg, ledger, {"m": model}, seed=7)

cfg = GenerateConfig.model_validate_json(sys.argv[3])
asyncio.run(main(*sys.argv[1:3]))
"""


def start(ledger: Ledger, server: FakeServer, cfg: GenerateConfig) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", SCRIPT, str(ledger.path), server.base_url, cfg.model_dump_json(exclude_unset=True)]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def kill_and_run_again(
    ledger: Ledger,
    faults: Faults | None,
    kills: int,
    seed: int,
    folder: Path,
    cfg: GenerateConfig = CFG,
    reply: Reply = fake_reply,
) -> None:
    """Kill the stage at random points, then let it finish, and hold the result against one clean run."""
    given, rng = prompts(60), random.Random(seed)
    ledger.append(given)
    slots, died = 8, 0
    expected = clean_run(folder, given, cfg, reply)
    with FakeServer(latency_s=0.01, faults=faults, reply=reply) as server:
        for _ in range(kills):
            target = server.calls.total() + rng.randint(15, 40)
            with start(ledger, server, cfg) as process:
                while server.calls.total() < target and process.poll() is None:
                    time.sleep(0.001)
                process.send_signal(signal.SIGKILL)
                died += process.wait() == -signal.SIGKILL
        held = len(facts(ledger))
        with start(ledger, server, cfg) as process:
            _, complaints = process.communicate()
            assert process.returncode == 0, complaints
        # Whole answers sent twice: at most those that were in flight, or on their way to the disk, at a kill.
        repeated = {key: count for key, count in server.answered.items() if count > 1}
    assert died >= 1
    assert 0 < held < len(expected)
    assert len(server.answered) == len(expected)
    assert sum(repeated.values()) - len(repeated) <= died * 2 * slots
    assert facts(ledger) == expected


def test_killed_anywhere_and_run_again_is_one_clean_run(ledger: Ledger, tmp_path: Path):
    kill_and_run_again(ledger, None, kills=2, seed=1, folder=tmp_path)


def test_killed_among_strategies_and_run_again_is_one_clean_run(ledger: Ledger, tmp_path: Path):
    strategies = [
        {"name": "strong_weak", "strong": ["m"], "corruptions": ["shuffle_words"], "n": 1},
        {"name": "contrast", "model": "m", "guideline": "Be polite.", "n": 1},
        {"name": "edit", "model": "m", "of": ["corrupted"], "n": 1},
    ]
    cfg = GenerateConfig.model_validate({"strategies": strategies})
    kill_and_run_again(ledger, None, kills=2, seed=2, folder=tmp_path, cfg=cfg, reply=some_repeat)
    assert {each.origin for each in ledger.read(Candidate)} == {"strong", "corrupted", "contrast", "edited"}
    assert any("instead_of" in each.params for each in ledger.read(Candidate))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_in_a_storm_and_run_again_is_one_clean_run(ledger: Ledger, tmp_path: Path, seed: int):
    kill_and_run_again(ledger, storm(0.3, STORM_FAULTS, seed), kills=4, seed=seed, folder=tmp_path)


def test_a_storm_loses_nothing_and_repeats_nothing(ledger: Ledger, tmp_path: Path):
    given = prompts(40)
    ledger.append(given)
    faults = (
        *STORM_FAULTS,
        Fault("hang", seconds=0.1),
        Fault("wrong_length"),
        Fault("null_content"),
        Fault("invalid_json"),
    )
    patient = RetryPolicy(attempts=30, base_s=0.001, cap_s=0.02, retry_after_cap_s=0.05, trip_after=50)
    with FakeServer(faults=storm(0.3, faults, seed=3)) as server:
        progress = run(ledger, server, policy=patient, timeout_s=30, slots=32)
    assert (progress.new, progress.failed) == (120, 0)
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == 120
    assert facts(ledger) == clean_run(tmp_path, given)


def test_ids_do_not_depend_on_order(tmp_path: Path):
    given = prompts(5)
    forward = clean_run(tmp_path, given)
    with Ledger.open(tmp_path / "backward.sqlite") as ledger, FakeServer() as server:
        ledger.append(reversed(given))
        run(ledger, server, slots=1)
        backward: Mapping[str, Candidate] = facts(ledger)
    assert forward == backward


def test_what_servers_send_is_marked_and_repetitions_are_asked_again_hotter(ledger: Ledger):
    ledger.append(prompts(12))

    def reply(body: Mapping[str, Any]) -> str:
        odd = {0: "the same answer to every question of this kind", 1: " \n", 2: "Round and round it goes. " * 40}
        return fake_reply(body) if body["temperature"] > 1 else odd.get(body["seed"] % 5, fake_reply(body))

    with FakeServer(reply=reply, faults=lambda call, _: Fault("filtered") if call == 7 else None) as server:
        progress = run(ledger, server, CFG.model_copy(update={"max_tokens": 30}), slots=1)
    made = list(ledger.read(Candidate))
    by_text = {(each.text[:9], each.finish_reason, each.error) for each in made if each.params["seed"] % 5 in (1, 2)}
    assert {(" \n", "stop", "empty"), ("Round and", "looping", "")} <= by_text
    assert [each.error for each in made if each.finish_reason == "content_filter"] == ["empty"]
    assert {"length", "looping"} <= set(progress.details["marked"])
    cut = [each for each in made if each.finish_reason == "length"]
    assert cut
    assert all(len(each.text.split()) == 30 for each in cut)
    again = [each for each in made if "instead_of" in each.params]
    known = facts(ledger)
    assert len(again) == progress.details["asked_again"] > 0
    for each in again:
        first = known[each.params["instead_of"]]
        assert first.text.startswith(("the same answer", "Round and round"))
        assert each.params["temperature"] > first.params["temperature"]
        assert not each.text.startswith(("the same answer", "Round and round"))
