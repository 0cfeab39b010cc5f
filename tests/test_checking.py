"""What is found before any work starts: keys, files, extras and classes that are not there, and literal secrets."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pairsmith.cli.main import app
from pairsmith.config import ModelConfig, RuntimeConfig, parse_config
from pairsmith.errors import ConfigError
from pairsmith.models.fake import FakeServer
from pairsmith.pipeline.checking import check_doors

SECRET = "hunter2-correct-horse"


class Costly:
    """A model of a user whose making takes minutes."""

    def __init__(self, _name: str, _config: ModelConfig, _runtime: RuntimeConfig) -> None:
        raise AssertionError("made while it was only being checked")

    async def complete(self, request: object) -> None: ...


class Judgeless:
    """No annotator."""


def problems(text: str, project: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_doors(project, parse_config(text))
    return str(caught.value).splitlines()


def test_all_that_is_missing_is_named_with_place_key_and_remedy(tmp_path):
    found = problems(
        """models:
  big:
    base_url: http://127.0.0.1:9/v1
    model: big
    api_key_env: PAIRSMITH_TEST_UNSET
  file: {kind: local, path: absent.gguf}
  mine: {kind: "nosuchpackage.models:Mine"}
  rm: {model: rm, base_url: "ftp://here"}
  unused: {kind: "nosuchpackage.models:Mine"}
generate: {models: [big, file, mine]}
annotate:
  annotators:
    - {kind: judge, model: big}
    - {kind: judge, model: big}
    - {kind: verifier, options: {sandbx: isolated}}
    - {kind: reward_server, model: rm}
    - {kind: "tests.test_checking:Judgeless"}
    - {kind: scorer, model: nosuch}
""",
        tmp_path,
    )
    places = [line.split(": ")[:2] for line in found]
    assert places == [
        ["pairsmith.yaml:5", "models.big.api_key_env"],
        ["pairsmith.yaml:6", "models.file.path"],
        ["pairsmith.yaml:7", "models.mine.kind"],
        ["pairsmith.yaml:14", "annotate.annotators"],
        ["pairsmith.yaml:15", "annotate.annotators"],
        ["pairsmith.yaml:8", "models.rm.base_url"],
        ["pairsmith.yaml:17", "annotate.annotators"],
        ["pairsmith.yaml:18", "annotate.annotators"],
    ]
    assert "export the server's key" in found[0]
    assert "name a GGUF file" in found[1]


def test_a_class_of_ones_own_is_looked_at_but_not_made(tmp_path):
    check_doors(
        tmp_path,
        parse_config(f"models: {{m: {{kind: '{__name__}:Costly'}}}}\ngenerate: {{models: [m]}}"),
    )
    (line,) = problems("annotate: {annotators: [{kind: 'json:JSONDecoder', options: {a: 1}}]}", tmp_path)
    assert "json:JSONDecoder has no annotate or score or score_many" in line


@pytest.mark.parametrize("verb", [["generate"], ["annotate"], ["run"], ["config", "check"]])
def test_no_verb_that_pays_starts_with_a_missing_key(verb, tmp_path):
    with FakeServer() as server:
        (tmp_path / "p.txt").write_text("Why is the sky blue?\n")
        (tmp_path / "pairsmith.yaml").write_text(
            f"""collect: {{sources: [{{path: p.txt, format: text}}]}}
models:
  open: {{base_url: "{server.base_url}", model: fake}}
  closed: {{base_url: "{server.base_url}", model: fake, api_key_env: PAIRSMITH_TEST_UNSET}}
generate: {{models: [open], n: 1}}
annotate: {{annotators: [{{kind: judge, model: closed}}]}}
runtime: {{probe: false}}
"""
        )
        CliRunner().invoke(app, ["-C", str(tmp_path), "collect"], catch_exceptions=False)
        ended = CliRunner().invoke(app, ["-C", str(tmp_path), *verb])
        assert isinstance(ended.exception, ConfigError)
        assert str(ended.exception).startswith("pairsmith.yaml:4: models.closed.api_key_env: ")
        assert not server.calls


@pytest.mark.parametrize(
    "text",
    [
        f"models: {{m: {{kind: 'a:B', options: {{api_key: {SECRET}}}}}}}",
        f"models: {{m: {{kind: 'a:B', options: {{apiKey: {SECRET}}}}}}}",
        f"models: {{m: {{kind: 'a:B', options: {{nested: [{{password: {SECRET}}}]}}}}}}",
        f"models: {{m: {{kind: 'a:B', options: {{headers: {{Authorization: Basic {SECRET}}}}}}}}}",
        f"models: {{m: {{kind: 'a:B', options: {{url: 'https://me:{SECRET}@host/v1'}}}}}}",
        f"models: {{m: {{base_urls: ['https://me:{SECRET}@host/v1']}}}}",
        f"annotate: {{annotators: [{{kind: 'a:B', options: {{access_key: {SECRET}}}}}]}}",
        f"annotate: {{annotators: [{{kind: 'a:B', options: {{token: {SECRET}}}}}]}}",
        f"generate: {{system: 'use sk-{SECRET}'}}",
        f"models: {{m: {{options: {{sk-{SECRET}: 1}}}}}}",
        f"models: {{m: {{kind: 'a:B', options: {{anything: Xy7{SECRET.replace('-', '')}Zq0aB9cD8eF7}}}}}}",
    ],
)
def test_a_key_in_the_configuration_is_refused_and_never_quoted(text):
    with pytest.raises(ConfigError, match=r"pairsmith.yaml:1: .*environment variable") as caught:
        parse_config(text)
    assert SECRET not in str(caught.value)
    assert SECRET.replace("-", "") not in str(caught.value)


def test_a_key_in_an_override_is_refused_and_never_quoted():
    for override in (f"models.m.options.api_key={SECRET}", f"seed.deeper.api_key={SECRET}"):
        with pytest.raises(ConfigError) as caught:
            parse_config("seed: 1\nmodels: {m: {kind: 'a:B'}}", [override])
        assert SECRET not in str(caught.value)


def test_settings_that_only_sound_like_secrets_are_taken():
    options = """{api_key_env: MY_KEY, token_file: /keys/mine, max_tokens: 512, stop_token: "</s>", tokenizer: gpt2,
      key: score, revision: 9f3c1e8a7b6d5c4f3e2d1c0b9a8f7e6d5c4b3a29, secret: true, keys: [a, b],
      path: models/Meta-Llama-3.1-8B-Instruct-Q4_K_M-00001-of-00002.gguf}"""
    config = parse_config(f"models: {{m: {{kind: 'a:B', options: {options}}}}}")
    assert config.models["m"].options["max_tokens"] == 512


def test_a_misspelt_kind_is_found_on_loading():
    with pytest.raises(ConfigError) as caught:
        parse_config("models: {m: {kind: vllm}}\nannotate: {annotators: [{kind: jugde}]}")
    assert str(caught.value).splitlines() == [
        "pairsmith.yaml:1: models.m.kind: unknown kind 'vllm'; use local, openai, minilm, sentence_transformers or "
        "`package.module:Class`",
        "pairsmith.yaml:2: annotate.annotators.0.kind: unknown kind 'jugde'; did you mean 'judge'?",
    ]
