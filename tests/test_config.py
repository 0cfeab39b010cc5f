"""The configuration: what is accepted, and what each mistake answers."""

from pathlib import Path

import pytest

from pairsmith.config import load_config, parse_config
from pairsmith.errors import ConfigError

ISSUE_EXAMPLE = """
version: 1
name: mt-bench
seed: 7
collect:
  sources:
    - {format: arena, path: human_judgments_hf_schema.jsonl.gz, licence: CC-BY-4.0}
resolve: {method: majority, min_agreement: 0.6}
validate: {benchmarks: [gsm8k_test.jsonl.gz, HumanEval.jsonl.gz]}
split: {train: 0.8}
gate: {min_gap: 0.15, min_pairs: 400, min_decontamination: 0.9}
"""


def test_a_small_configuration_is_enough():
    config = parse_config(ISSUE_EXAMPLE)
    assert config.collect.sources[0].licence == "CC-BY-4.0"
    assert config.gate.min_pairs == 400
    assert config.generate.models == ()


def test_defaults_are_those_of_the_workflow():
    config = parse_config("version: 1")
    assert (config.generate.n, config.generate.temperature, config.generate.top_p) == (4, 0.8, 0.9)
    assert config.generate.max_tokens == 512
    assert (config.gate.min_gap, config.gate.min_pairs, config.gate.min_decontamination) == (0.15, 1000, 0.9)
    assert (config.resolve.min_agreement, config.split.train) == (0.6, 0.8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "version: 1\nannotate:\n  overlaps: 3\n",
            "pairsmith.yaml:3: annotate.overlaps: not permitted; did you mean 'overlap'?",
        ),
        (
            "collect:\n  sources:\n    - {path: x, licens: y}",
            "pairsmith.yaml:3: collect.sources.0.licens: not permitted",
        ),
        ("models: {m: {kid: x}}", "pairsmith.yaml:1: models.m.kid: not permitted; did you mean 'kind'?"),
        ("gate: {min_gap: 3.0}", "did you mean 0.30?"),
        ("gate: {min_pairs: many}", "pairsmith.yaml:1: gate.min_pairs: Input should be a valid integer"),
        ("seed: 1\nseed: 2", "pairsmith.yaml:2: seed: given twice (first on line 1)"),
        ("a: &a [*a]", "nested deeper than"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
        ("\tname: x", "pairsmith.yaml:1: not valid YAML"),
        ("- a\n- b", "expected `key: value` lines"),
        ("split: {train: 1.0}", "pairsmith.yaml:1: split.train"),
        ("split: {parts: {train: 0.8, test: 0.1}}", "pairsmith.yaml:1: split.parts: the shares add up to 0.9, not 1"),
        ("split: {parts: {train: 1.2, test: -0.2}}", "pairsmith.yaml:1: split.parts.test"),
        ("split: {parts: {train: 0.5, test: 0.5, dev: 0}}", "pairsmith.yaml:1: split.parts.dev"),
        ("split: {parts: {train: .nan, test: 0.5}}", "pairsmith.yaml:1: split.parts.train"),
        ("split: {parts: {train: 1}}", "pairsmith.yaml:1: split.parts.train"),
        ("split: {parts: {validation: 0.5, test: 0.5}}", "needs the part train and at least one other"),
        ("split: {parts: {train: 0.8, ../x: 0.2}}", "'../x' cannot name a part"),
        ("split: {parts: {train: 0.8, Test: 0.2}}", "'Test' cannot name a part"),
        ("split: {parts: {train: 0.8, dropped: 0.2}}", "dropped.jsonl has another meaning"),
        ("split: {parts: {train: 0.8, nul: 0.2}}", "choose another name"),
        ("split: {parts: {train: 0.8, 1: 0.2}}", "pairsmith.yaml:1: split.parts.1"),
        ("split:\n  parts: {train: 0.8, test: 0.1, test: 0.1}", "pairsmith.yaml:2: split.parts.test: given twice"),
        ("split: {train: 0.8, parts: {train: 0.8, test: 0.2}}", "both split.train and split.parts are given"),
        ("generate: {models: [big]}", "names the model 'big'"),
        ("version: 2", "pairsmith.yaml:1: version"),
        ("name: ../../etc", "pairsmith.yaml:1: name"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert message in str(caught.value)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_config("gate: {min_gaps: 1}\nsplit:\n  trian: 0.8\n")
    assert str(caught.value).splitlines() == [
        "pairsmith.yaml:3: split.trian: not permitted; did you mean 'train'?",
        "pairsmith.yaml:1: gate.min_gaps: not permitted; did you mean 'min_gap'?",
    ]


def test_an_alias_bomb_is_refused_quickly():
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 25)]
    with pytest.raises(ConfigError):
        parse_config("a0: &a0 x\n" + "\n".join(levels))


def test_overrides_replace_values_and_are_named_in_errors():
    assert parse_config(ISSUE_EXAMPLE, ["gate.min_pairs=5", "collect.sources.0.limit=9"]).collect.sources[0].limit == 9
    with pytest.raises(
        ConfigError, match=r"^--set gate.min_pair: gate.min_pair: not permitted; did you mean 'min_pairs'"
    ):
        parse_config(ISSUE_EXAMPLE, ["gate.min_pair=5"])
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_config(ISSUE_EXAMPLE, ["gate.min_pairs"])
    with pytest.raises(ConfigError, match=r"there is no 'collect.sources.7'"):
        parse_config(ISSUE_EXAMPLE, ["collect.sources.7.limit=5"])


@pytest.mark.parametrize(
    "model",
    [
        "{base_url: 'http://user:s3cret@host/v1'}",
        "{base_url: 'http://host/v1?key=s3cret'}",
        "{base_url: 'http://host/v1#s3cret'}",
        "{base_url: 'http://[s3cret/v1'}",
        "{api_key_env: sk-s3cret}",
        "{api_key: s3cret}",
    ],
)
def test_a_key_where_none_belongs_is_refused_and_not_quoted(model):
    with pytest.raises(ConfigError, match=r"^pairsmith.yaml:1: models.m") as caught:
        parse_config(f"models: {{m: {model}}}")
    assert "s3cret" not in str(caught.value)


def test_where_a_key_is_found_is_not_identity():
    text = "models: {m: {base_url: 'http://host/v1', model: x, api_key_env: ONE_KEY}}"
    assert "ONE_KEY" not in str(parse_config(text).identity())
    assert parse_config(text).models["m"].api_key_env == "ONE_KEY"


def test_runtime_is_not_identity():
    one = parse_config("runtime: {concurrency: 1}")
    other = parse_config("runtime: {concurrency: 99}")
    assert one.identity() == other.identity()
    assert parse_config("seed: 1").identity() != one.identity()


def test_a_missing_or_unreadable_file_says_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigError, match="pairsmith init"):
        load_config(tmp_path)
    (tmp_path / "pairsmith.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 9"):
        load_config(tmp_path)
    (tmp_path / "pairsmith.yaml").write_bytes(b"\xef\xbb\xbfname: x")
    assert load_config(tmp_path).name == "x"


def test_the_identity_of_a_split_holds_the_form_that_was_given():
    two, three = parse_config(""), parse_config("split: {parts: {test: 0.1, train: 0.8, validation: 0.1}}")
    assert two.identity()["split"] == {"train": 0.8, "stratify": ["category"], "similarity": 0.8}
    assert "train" not in three.identity()["split"]
    assert list(three.split.shares().items()) == [("train", 0.8), ("validation", 0.1), ("test", 0.1)]
