"""Secrets stay where they are: keys in the environment, personal data in the user's own logs."""

import json
from collections.abc import Callable

import pytest

from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, Faults, in_order, storm
from tests.stories.conftest import Project

pytestmark = pytest.mark.slow

KEY = "sk-canary-0d1f9f6c2b7e4c55"
CONFIG = """name: secret
collect: {sources: [{path: prompts.txt, format: text}]}
models:
  writer: {base_url: "ADDRESS", model: fake, api_key_env: CANARY_KEY}
generate: {models: [writer], n: 2, max_tokens: 20}
annotate: {annotators: [{kind: judge, model: writer}]}
gate: {min_pairs: 1}
runtime: {attempts: 2, timeout_s: 2, concurrency: 4}
"""


def echoing(status: int) -> Faults:
    """A server that answers every call with an error that quotes the key it was given, as some do."""
    fault = Fault("status", status, {"X-Echo": KEY}, message=f"Incorrect API key provided: {KEY}.")
    return lambda *_: fault


def run_all(project: Project, verbs: tuple[tuple[str, ...], ...], key: str = KEY) -> list[tuple[int, str]]:
    """Exit code and everything printed, verb by verb."""
    ended = []
    for words in verbs:
        with project.start(*words, CANARY_KEY=key) as process:
            out, err = process.communicate(timeout=120)
        ended.append((process.returncode, out + err))
    return ended


def files_with(project: Project, *secrets: str) -> list[str]:
    """The files of the project that hold one of the secrets, in a byte or in a name."""
    return [
        f"{path}: {secret}"
        for path in project.path.rglob("*")
        for secret in secrets
        if secret in path.name
        or (path.is_file() and not path.is_symlink() and secret.encode("utf-8") in path.read_bytes())
    ]


def make(new_project: Callable[[], Project], server: FakeServer) -> Project:
    project = new_project()
    project.write("prompts.txt", "Why is the sky blue?\nHow do magnets work?\n")
    project.write("pairsmith.yaml", CONFIG.replace("ADDRESS", server.base_url))
    return project


VERBS = (("run",), ("-v", "status"), ("--json", "config", "check"), ("-v", "gate"), ("--json", "build"))


def test_a_key_that_works_is_written_nowhere(new_project):
    with FakeServer(api_key=KEY) as server:
        project = make(new_project, server)
        ended = run_all(project, VERBS)
        assert sum(server.answered.values()) >= 4  # the key did arrive
    assert [code for code, _ in ended] == [3, 0, 0, 3, 0]
    assert not [text for _, text in ended if KEY in text]
    assert files_with(project, KEY) == []


@pytest.mark.parametrize("words", [("generate",), ("-v", "generate"), ("--json", "run"), ("-v", "--json", "run")])
def test_a_key_that_is_refused_is_not_quoted(new_project, words):
    with FakeServer(api_key="another") as server:
        project = make(new_project, server)
        run_all(project, (("collect",),))
        ((code, text),) = run_all(project, (words,))
    assert code == 5
    assert "CANARY_KEY" in text or "key" in text
    assert ("Traceback" in text) == ("-v" in words)
    assert KEY not in text
    assert files_with(project, KEY) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_server_that_quotes_the_key_is_not_repeated(new_project, status):
    with FakeServer(faults=echoing(status)) as server:
        project = make(new_project, server)
        ended = run_all(project, (("collect",), ("-v", "generate"), ("status",), ("-v", "build")))
    assert not [text for _, text in ended if KEY in text]
    assert files_with(project, KEY) == []


def test_a_storm_tells_no_secret_either(new_project):
    faults = storm(0.5, (Fault("reset"), Fault("html"), Fault("status", 500, message=KEY), Fault("truncated")), seed=3)
    with FakeServer(faults=faults, api_key=KEY) as server:
        project = make(new_project, server)
        ended = run_all(project, (("-v", "run"), ("-v", "run")))
    assert not [text for _, text in ended if KEY in text]
    assert files_with(project, KEY) == []


def test_a_missing_key_is_named_before_anything_is_asked(new_project):
    with FakeServer(api_key=KEY, faults=in_order()) as server:
        project = make(new_project, server)
        ended = run_all(project, (("collect",), ("generate",)), key="")
        assert not server.calls
    assert ended[1][0] == 2
    assert "CANARY_KEY" in ended[1][1]


def test_a_key_in_the_address_or_in_the_file_is_not_shown(new_project):
    """What a user writes into the configuration stays in the configuration: it is quoted by no message or build."""
    project = new_project()
    project.write("prompts.txt", "Why is the sky blue?\n")
    for line in (
        f'{{base_url: "http://user:{KEY}@127.0.0.1:1/v1", model: fake}}',
        f'{{base_url: "http://127.0.0.1:1/v1?key={KEY}", model: fake}}',
        f'{{base_url: "http://127.0.0.1:1/v1", model: fake, api_key: {KEY}}}',
        f'{{base_url: "http://127.0.0.1:1/v1", model: fake, api_key_env: {KEY}}}',
    ):
        project.write(
            "pairsmith.yaml",
            "collect: {sources: [{path: prompts.txt, format: text}]}\ngenerate: {models: [m], n: 1}\n"
            f"runtime: {{attempts: 1, timeout_s: 1}}\nmodels:\n  m: {line}\n",
        )
        ended = run_all(project, (("collect",), ("-v", "generate"), ("status",), ("build",), ("config", "check")))
        shown = [text for _, text in ended if KEY in text]
        assert not shown, f"{line}\n{shown[0]}"
        assert [each for each in files_with(project, KEY) if "pairsmith.yaml" not in each] == [], line
        assert ended[1][0] in (2, 5), line


def test_personal_data_of_logs_is_in_no_produced_byte(new_project):
    secrets = ("wilhelmina.canary@secret-mail.example", "+49 89 9876543", "4111 1111 1111 1111", "203.0.113.99")
    project = new_project()
    turns = [
        [
            {"role": "user", "content": f"Reach me under {secret}, please. When does the parcel number {n} arrive?"},
            {"role": "assistant", "content": f"I have noted {secret}. It arrives tomorrow."},
        ]
        for n, secret in enumerate(secrets)
    ]
    broken = [f'{{"messages": [{{"role": "user", "content": "Reach me under {secret}"' for secret in secrets]
    lines = [*(json.dumps({"messages": each, "user": secrets[0]}) for each in turns), *broken]
    with FakeServer() as server:
        project.write("log.jsonl", "\n".join(lines) + "\n")
        project.write(
            "pairsmith.yaml",
            f"""collect: {{sources: [{{path: log.jsonl, format: chat}}]}}
models: {{writer: {{base_url: "{server.base_url}", model: fake}}}}
generate: {{models: [writer], n: 2, max_tokens: 20}}
annotate: {{annotators: [{{kind: judge, model: writer}}]}}
""",
        )
        ended = run_all(project, (("-v", "run"), ("--json", "status"), ("-v", "resolve"), ("build",)))
    assert ended[0][0] == 3
    found = [each for each in files_with(project, *secrets) if "/log.jsonl:" not in each]
    assert found == []
    assert not [secret for _, text in ended for secret in secrets if secret in text]
    assert project.latest("metrics.json")["inputs"][0]["good"] == len(secrets)
