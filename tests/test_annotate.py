"""The laws of `annotate`: run twice is run once, growth adds only the new, an interruption loses nothing."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import AnnotateConfig, AuditConfig
from pairsmith.errors import ConfigError, LeaseHeld, ModelError, ModelUnavailable
from pairsmith.ledger import Ledger, lease
from pairsmith.models.judge import Judge
from pairsmith.models.protocols import Annotator, ChatRequest
from pairsmith.models.scorers import ScorerAnnotator, SurfaceScorer
from pairsmith.records import Annotation, Candidate, Comparison, Label, Message, Progress, Prompt, Score
from pairsmith.stages.annotate import annotate
from pairsmith.stages.comparisons import draw_comparisons
from tests.models.scripted import ScriptedChat, prefers_the_first_shown, prefers_the_longer, shown, verdict

ALL = AnnotateConfig()
Votes = tuple[Sequence[Annotation], Sequence[Score]]


class Longer:
    """Votes for the longer response; may be told to fail."""

    guideline = ""

    def __init__(
        self, name: str = "longer", fail: Callable[[int], None] | None = None, only: Prompt | None = None
    ) -> None:
        self.name, self.calls, self.fail, self.only = name, 0, fail, only

    def wants(self, prompt: Prompt) -> bool:
        return self.only in (None, prompt)

    async def annotate(self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate) -> Votes:
        self.calls += 1
        if self.fail:
            self.fail(self.calls)
        assert prompt.id == comparison.prompt_id
        label: Label = "tie" if len(a.text) == len(b.text) else "a" if len(a.text) > len(b.text) else "b"
        scores = [Score.of(each.id, self.name, float(len(each.text))) for each in (a, b)]
        return [Annotation.of(comparison.id, self.name, "reward", label)], scores


def prompts(n: int) -> list[Prompt]:
    return [Prompt.of([Message("user", f"Question {number}?")]) for number in range(n)]


def samples(prompt: Prompt, n: int, start: int = 0) -> list[Candidate]:
    return [
        Candidate(
            Candidate.asked_id(prompt.id, "m", {}, sample),
            prompt.id,
            "word " * (sample + 1),
            model="m",
            sample=sample,
        )
        for sample in range(start, start + n)
    ]


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def fill(ledger: Ledger, n_prompts: int = 3, n: int = 4) -> list[Prompt]:
    asked = prompts(n_prompts)
    ledger.append([*asked, *(each for prompt in asked for each in samples(prompt, n))])
    return asked


def go(ledger: Ledger, *annotators: Annotator, cfg: AnnotateConfig = ALL, **more: Any) -> Progress:
    return asyncio.run(annotate(cfg, ledger, annotators, seed=7, **more))


def contents(ledger: Ledger) -> dict[type[Any], dict[str, Any]]:
    kinds: tuple[type[Any], ...] = (Comparison, Annotation, Score)
    return {kind: {fact.id: fact for fact in ledger.read(kind)} for kind in kinds}


def test_every_pair_of_a_prompt_gets_a_vote(ledger):
    fill(ledger)
    progress = go(ledger, Longer())
    assert (progress.stage, progress.wanted, progress.present, progress.new) == ("annotate", 18, 0, 18)
    assert progress.details["comparisons"]["new"] == 18
    found = contents(ledger)
    assert len(found[Comparison]) == len(found[Annotation]) == 18
    assert len(found[Score]) == 12


def test_run_twice_is_run_once(ledger):
    fill(ledger)
    go(ledger, Longer())
    position, again = ledger.position(), Longer()
    progress = go(ledger, again)
    assert (again.calls, progress.new, progress.present, progress.wanted) == (0, 0, 18, 18)
    assert ledger.position() == position


def test_more_candidates_add_only_the_new(ledger):
    asked = fill(ledger, n=2)
    go(ledger, Longer())
    before = contents(ledger)
    ledger.append(samples(asked[0], 1, start=2))
    annotator = Longer()
    progress = go(ledger, annotator)
    assert (annotator.calls, progress.new, progress.present) == (2, 2, 3)
    after = contents(ledger)
    assert all(before[kind].items() <= after[kind].items() for kind in before)


def test_another_annotator_adds_only_its_votes(ledger):
    fill(ledger)
    first, second = Longer("one"), Longer("two")
    go(ledger, first)
    progress = go(ledger, first, second)
    assert (first.calls, second.calls, progress.new, progress.present) == (18, 18, 18, 18)


def test_interrupted_anywhere_and_run_again_is_one_clean_run(tmp_path):
    def ran(name: str, *interruptions: int) -> tuple[dict[type[Any], dict[str, Any]], int]:
        with Ledger.open(tmp_path / name) as ledger:
            fill(ledger)
            for at in interruptions:

                def stop(calls: int, at: int = at) -> None:
                    if calls > at:
                        raise KeyboardInterrupt

                with pytest.raises(KeyboardInterrupt):
                    go(ledger, Longer(fail=stop), concurrency=3)
            calls = Longer()
            go(ledger, calls)
            return contents(ledger), calls.calls

    clean, _ = ran("clean.sqlite")
    interrupted, calls = ran("interrupted.sqlite", 0, 5, 7)
    assert interrupted == clean
    assert calls == 18 - 12


@pytest.mark.slow
def test_killed_for_real_and_run_again_is_one_clean_run(tmp_path):
    script = (
        "import os, sys, asyncio; from pathlib import Path; from pairsmith.ledger import Ledger\n"
        "from tests.test_annotate import Longer, go\n"
        "def die(calls):\n"
        "    if calls > int(sys.argv[2]): os.kill(os.getpid(), 9)\n"
        "go(Ledger.open(Path(sys.argv[1])), Longer(fail=die), concurrency=2)\n"
    )
    with Ledger.open(tmp_path / "clean.sqlite") as clean, Ledger.open(tmp_path / "killed.sqlite") as killed:
        fill(clean)
        fill(killed)
        go(clean, Longer())
        for at in (0, 4, 9):
            command = [sys.executable, "-c", script, str(killed.path), str(at)]
            done = subprocess.run(command, cwd=Path(__file__).parents[1], check=False)
            assert done.returncode == -9
        go(killed, Longer())
        assert contents(killed) == contents(clean)


def test_abstentions_are_counted_not_stored_and_asked_again(ledger):
    def refuse(calls: int) -> None:
        if calls % 3 == 0:
            raise ModelError("prose")

    fill(ledger)
    progress = go(ledger, Longer(fail=refuse))
    assert (progress.new, progress.failed) == (12, 6)
    assert "no usable verdict on 6 of 18 comparisons" in progress.notes[0]
    assert "prose" in progress.notes[0]
    progress = go(ledger, Longer())
    assert (progress.present, progress.new, progress.failed) == (12, 6, 0)


def test_a_model_that_goes_away_stops_the_run_and_loses_nothing(ledger):
    def vanish(calls: int) -> None:
        if calls > 5:
            raise ModelUnavailable("connection refused")

    fill(ledger)
    with pytest.raises(ModelUnavailable, match="refused"):
        go(ledger, Longer(fail=vanish))
    assert len(contents(ledger)[Annotation]) == 5
    assert go(ledger, Longer()).new == 13


def test_what_other_workers_have_under_way_is_kept_when_a_model_goes_away(ledger):
    class Slow(Longer):
        async def annotate(self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate) -> Votes:
            last = self.calls == 3
            answer = await super().annotate(prompt, comparison, a, b)
            if last:
                raise ModelUnavailable("gone")
            await asyncio.sleep(0.02)
            return answer

    fill(ledger)
    with pytest.raises(ModelUnavailable):
        go(ledger, Slow(), concurrency=4)
    assert len(contents(ledger)[Annotation]) == 3


def test_a_cancelled_run_keeps_what_was_answered(ledger):
    class Slow(Longer):
        async def annotate(self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate) -> Votes:
            await asyncio.sleep(0.01 if self.calls < 6 else 60)
            return await super().annotate(prompt, comparison, a, b)

    async def cancelled() -> None:
        await asyncio.wait_for(annotate(ALL, ledger, [Slow()], seed=7, concurrency=2), 0.5)

    fill(ledger)
    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    stored = len(contents(ledger)[Annotation])
    assert stored >= 6
    assert go(ledger, Longer()).present == stored


def test_a_vote_under_another_name_is_refused(ledger):
    class Liar(Longer):
        async def annotate(self, *question: Any) -> Votes:
            return [Annotation.of(question[1].id, "someone else", "judge", "a")], []

    fill(ledger, 1, 2)
    progress = go(ledger, Liar())
    assert (progress.new, progress.failed) == (0, 1)
    assert "under its own name" in progress.notes[0]


def test_no_more_calls_are_under_way_than_allowed(ledger):
    class Counting(Longer):
        under_way = most = 0

        async def annotate(self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate) -> Votes:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.001)
            self.under_way -= 1
            return await super().annotate(prompt, comparison, a, b)

    fill(ledger, 5)
    annotator = Counting()
    go(ledger, annotator, concurrency=4)
    assert annotator.most == 4


def test_an_annotator_is_not_asked_about_prompts_it_does_not_want(ledger):
    asked = fill(ledger)
    annotator = Longer(only=asked[1])
    assert go(ledger, annotator).wanted == annotator.calls == 6


def test_overlap_draws_that_many_annotators_by_seed(ledger, tmp_path):
    panel = [Longer(name) for name in ("one", "two", "three")]
    cfg = AnnotateConfig(overlap=2)
    fill(ledger, 10)
    assert go(ledger, *panel, cfg=cfg).wanted == 120
    votes = contents(ledger)[Annotation]
    assert {sum(vote.comparison_id == each for vote in votes.values()) for each in contents(ledger)[Comparison]} == {2}
    assert all(annotator.calls > 20 for annotator in panel)
    with Ledger.open(tmp_path / "other.sqlite") as other:
        fill(other, 10)
        go(other, *reversed(panel), cfg=cfg)
        assert contents(other)[Annotation].keys() == votes.keys()


def test_two_annotators_of_one_name_are_an_error_before_work_starts(ledger):
    fill(ledger)
    with pytest.raises(ConfigError, match="2 annotators are called 'longer'"):
        go(ledger, Longer(), Longer())
    assert contents(ledger)[Comparison] == {}


def test_one_process_at_a_time(ledger):
    with lease(ledger, "annotate"), pytest.raises(LeaseHeld):
        go(ledger, Longer())


def test_progress_is_told(ledger):
    fill(ledger, 1)
    told: list[tuple[int, int]] = []
    go(ledger, Longer(), notify=lambda done, wanted: told.append((done, wanted)))
    assert told == [(done, 6) for done in range(7)]


def test_without_annotators_comparisons_wait_for_people(ledger):
    fill(ledger)
    progress = go(ledger)
    assert (progress.wanted, progress.details["comparisons"]["new"]) == (0, 18)


def test_imported_comparisons_are_voted_on_but_no_new_ones_made(ledger):
    [prompt] = prompts(1)
    sides = [Candidate.imported(prompt.id, text) for text in ("one", "the other", "a third")]
    pairs = [Comparison.of(sides[0], sides[1]), Comparison.of(sides[1], sides[2])]
    ledger.append([prompt, *sides, *pairs, Annotation.of(pairs[0].id, "someone", "human", "a")])
    progress = go(ledger, Longer())
    assert progress.new == 2
    assert contents(ledger)[Comparison].keys() == {pair.id for pair in pairs}


def test_a_judge_that_only_sees_positions_is_called_one(ledger):
    fill(ledger, 4)
    model = ScriptedChat(prefers_the_first_shown)
    progress = go(ledger, Judge(model, name="small"), concurrency=1)
    assert any("REFUSED: small is a position detector" in note and "0% of 20" in note for note in progress.notes)
    assert progress.details["annotators"]["small"]["swap_consistency"] == {"value": 0.0, "n": 20}
    assert progress.details["annotators"]["small"]["labels"] == {"tie": 20}
    assert (progress.wanted, progress.new) == (20, 20)  # the other four would be money for nothing


def test_concurrency_does_not_decide_which_votes_a_failing_judge_leaves(tmp_path):
    stored = []
    for concurrency in (1, 7, 64):
        with Ledger.open(tmp_path / f"{concurrency}.sqlite") as ledger:
            fill(ledger, 12)
            go(ledger, Judge(ScriptedChat(prefers_the_first_shown), name="small"), concurrency=concurrency)
            stored.append({vote.id: vote.label for vote in ledger.read(Annotation)})
    assert stored[0] == stored[1] == stored[2]
    assert len(stored[0]) == 20


def test_a_refused_judge_is_not_asked_again_but_others_are(ledger):
    fill(ledger, 4)
    go(ledger, Judge(ScriptedChat(prefers_the_first_shown), name="small"), concurrency=1)
    model, other = ScriptedChat(prefers_the_first_shown), Longer()
    progress = go(ledger, Judge(model, name="small"), other)
    assert (model.requests, other.calls) == ([], 24)
    assert any("REFUSED: small" in note and "0% of 20" in note for note in progress.notes)
    reworded = ScriptedChat(prefers_the_longer)
    assert go(ledger, Judge(reworded, name="small", guideline="v2")).new == 24
    assert reworded.requests


def test_swap_consistency_counts_over_the_whole_ledger_not_one_run(ledger):
    coin = iter(range(10_000))

    def steady_three_times_in_five(request: ChatRequest) -> str:
        position = next(coin) // 2 % 5 >= 3
        return prefers_the_first_shown(request) if position else prefers_the_longer(request)

    for n_prompts in (1, 2, 3):  # 6 comparisons more each time: never twenty in a run
        fill(ledger, n_prompts)
        progress = go(ledger, Judge(ScriptedChat(steady_three_times_in_five), name="coin"), concurrency=1)
        assert progress.notes == ()
    fill(ledger, 4)
    progress = go(ledger, Judge(ScriptedChat(steady_three_times_in_five), name="coin"), concurrency=1)
    assert any("kept its verdict on only 62% of 24 comparisons" in note for note in progress.notes)
    fill(ledger, 5)
    model = ScriptedChat(steady_three_times_in_five)
    assert go(ledger, Judge(model, name="coin")).new == 0
    assert model.requests == []


def test_a_judge_that_prefers_a_planted_text_is_stopped_at_the_end_of_the_block(ledger):
    def falls_for_openers(request: ChatRequest) -> str:
        _, first, second = shown(request)
        for name, text in (("first", first), ("second", second)):
            if text == "Thought process:":
                return verdict(name)
        return prefers_the_longer(request)

    fill(ledger, 40)
    judge = Judge(ScriptedChat(falls_for_openers), name="gullible", audit=AuditConfig(canaries=0.5))
    progress = go(ledger, judge, concurrency=1)
    assert progress.new == 20
    assert any("REFUSED: gullible preferred a planted text" in note for note in progress.notes)
    assert sum(progress.details["annotators"]["gullible"]["canaries"]["fooled_by"].values()) > 0
    assert go(ledger, judge, concurrency=16).new == 0


def test_a_consistent_judge_is_not(ledger):
    fill(ledger, 4)
    model = ScriptedChat(prefers_the_longer)
    progress = go(ledger, Judge(model))
    assert progress.notes == ()
    assert len(model.requests) == 48
    assert go(ledger, Judge(model)).new == 0
    assert len(model.requests) == 48


def test_a_few_flips_accuse_nobody(ledger):
    fill(ledger, 3)
    assert go(ledger, Judge(ScriptedChat(prefers_the_first_shown))).notes == ()


def test_the_demonstration_scorer_says_so(ledger):
    fill(ledger)
    scorer = SurfaceScorer()
    progress = go(ledger, ScorerAnnotator(scorer, provenance=scorer.provenance()))
    assert any("demonstration" in note for note in progress.notes)
    assert progress.details["scorers"]["scorer:surface-v0"]["measured"]["accuracy"]["n"] == 583


def draw(
    candidates: Sequence[Candidate], existing: Sequence[Comparison] = (), **cfg: Any
) -> tuple[list[Comparison], dict[str, int]]:
    return draw_comparisons(AnnotateConfig(**cfg), candidates, existing, seed=1)


def test_adjacent_samples_only():
    [prompt] = prompts(1)
    four = samples(prompt, 4)
    drawn, _ = draw(four, comparisons="adjacent")
    neighbours = [Comparison.of(one, other) for one, other in pairwise(four)]
    assert [each.id for each in drawn] == [each.id for each in neighbours]


def test_the_limit_draws_by_seed_and_raising_it_only_adds():
    [prompt] = prompts(1)
    six = samples(prompt, 6)
    few, left_out = draw(six, max_per_prompt=4)
    assert (len(few), left_out["not_drawn"]) == (4, 11)
    assert draw(list(reversed(six)), max_per_prompt=4)[0] == few
    assert draw(six, few, max_per_prompt=4)[0] == []
    more, _ = draw(six, few, max_per_prompt=9)
    assert few + more == draw(six, max_per_prompt=9)[0]


def test_errors_empty_texts_and_identical_texts_are_left_out_and_counted():
    [prompt] = prompts(1)
    texts = ("good", "good ", " ", "better", "cut")
    pool = [
        Candidate(f"c{number}", prompt.id, text, model="m", sample=number, error="boom" if text == "cut" else "")
        for number, text in enumerate(texts)
    ]
    drawn, left_out = draw(pool)
    assert [(each.a, each.b) for each in drawn] == [("c0", "c3")]
    assert left_out == {"empty": 1, "error": 1, "identical": 1, "replaced": 0, "not_drawn": 0}


def test_human_responses_meet_model_ones_and_imported_pairs_stay_alone():
    [prompt] = prompts(1)
    human = Candidate.imported(prompt.id, "by hand", origin="human")
    paired = [Candidate.imported(prompt.id, text) for text in ("x", "y")]
    loose = Candidate.imported(prompt.id, "loose")
    [sample] = samples(prompt, 1)
    drawn, _ = draw([human, *paired, loose, sample], [Comparison.of(*paired)])
    wanted = [(human, sample), (human, loose), (loose, sample)]
    assert {each.id for each in drawn} == {Comparison.of(*pair).id for pair in wanted}
    again, _ = draw([human, *paired, loose, sample], [Comparison.of(*paired), *drawn])
    assert again == []


def test_responses_that_came_without_comparisons_are_compared():
    [prompt] = prompts(1)
    replies = [Candidate.imported(prompt.id, text, unpaired=True) for text in ("x", "y", "z")]
    drawn, _ = draw(replies)
    assert len(drawn) == 3
    [sample] = samples(prompt, 1)
    more, _ = draw([*replies, sample], drawn)  # whether they met before or after it came makes no difference
    assert {each.id for each in more} == {Comparison.of(reply, sample).id for reply in replies}
    pair = [Candidate.imported(prompt.id, text) for text in ("p", "q")]
    met, _ = draw([*pair, replies[0]], [Comparison.of(*pair)])
    assert met == []


def test_an_edit_meets_its_original_beyond_the_limit_and_wherever_that_came_from():
    [prompt] = prompts(1)
    pair = [Candidate.imported(prompt.id, text) for text in ("p", "q")]
    pool = [*samples(prompt, 3), *pair]
    edits = [
        replace(Candidate.imported(prompt.id, f"better {number}", origin="edited"), params={"of": each.id})
        for number, each in enumerate((pool[0], pair[1]))
    ]
    existing = [Comparison.of(*pair), *draw(pool[:3], max_per_prompt=3)[0]]
    drawn, left_out = draw([*pool, *edits], existing, max_per_prompt=3)
    kin = {Comparison.of(pool[0], edits[0]).id, Comparison.of(pair[1], edits[1]).id}
    assert {each.id for each in drawn} == kin
    assert left_out["not_drawn"] > 0
    assert draw([*pool, *edits], [*existing, *drawn], max_per_prompt=3)[0] == []


@pytest.mark.slow
def test_ten_thousand_votes_of_a_scorer_take_seconds(ledger):
    fill(ledger, 1700)
    scorer = SurfaceScorer()
    start = time.perf_counter()
    progress = go(ledger, ScorerAnnotator(scorer))
    assert progress.new == 10_200
    assert time.perf_counter() - start < 10
