"""What must hold before any work starts: every model and annotator can be opened, every benchmark file can be read."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pairsmith.config import Config
from pairsmith.errors import ConfigError, MissingExtra
from pairsmith.models.checking import check_annotator, check_chat_model
from pairsmith.pipeline.facts import read_benchmarks
from pairsmith.pipeline.meanings import semantic_embedder

__all__ = ["check_doors", "check_inputs"]


def check_inputs(project: Path, config: Config) -> None:
    """Make sure that nothing of what a whole run needs is missing, before money is spent on candidates and votes.

    Raises:
        ConfigError: a model or an annotator cannot be opened, see `check_doors`.
        InputError: if a benchmark file cannot be read.
    """
    check_doors(project, config)
    read_benchmarks(config.validation, project)


def check_doors(project: Path, config: Config) -> None:
    """Make sure that every model that will be asked, annotator and embedder can be opened. No request is made.

    Found are unset or unusable keys, addresses, files and extras that are missing, unknown options, classes that
    cannot be imported, and names given twice. Models that nobody asks are not looked at.

    Raises:
        ConfigError: all that is wrong, one line each: file and line, key, remedy.
        MissingExtra: the same, if all that is wrong is a dependency.
    """
    problems = asyncio.run(_problems(project, config))
    if problems:
        kinds = {type(error) for _, error in problems}
        kind = MissingExtra if kinds == {MissingExtra} else ConfigError
        raise kind("\n".join(f"{place}: {error}" for place, error in problems))


async def _problems(project: Path, config: Config) -> list[tuple[str, Exception]]:
    problems: list[tuple[str, Exception]] = []
    for name in dict.fromkeys(_asked(config)):
        try:
            await check_chat_model(name, config.models[name], config.runtime, project)
        except (ConfigError, MissingExtra) as error:
            problems.append((_place_of_model(config, name, error), error))
    names: Counter[str] = Counter()
    for index, annotator in enumerate(config.annotate.annotators):
        try:
            for each in await check_annotator(annotator, config.models, config.runtime, project):
                names[each] += 1
                if names[each] == 2:
                    raise ConfigError(f"annotate.annotators: several are called {each!r}; give each its own `name`")
        except (ConfigError, MissingExtra) as error:
            place = _place_of_reward(config, annotator.model, error)
            problems.append((place or config.place("annotate", "annotators", index), error))
    try:
        semantic_embedder(config, project)
    except (ConfigError, MissingExtra) as error:
        problems.append((_place_of_model(config, config.validation.semantic, error), error))
    return list({str(error): (place, error) for place, error in problems}.values())


def _asked(config: Config) -> Iterator[str]:
    yield from config.generate.asks()
    for annotator in config.annotate.annotators:
        if annotator.kind != "reward_server":  # which opens its own connection, and checks its section by that
            yield from annotator.needed_models


def _place_of_model(config: Config, name: str, error: Exception) -> str:
    """Where the key stands that the message names first, as in `models.big.api_key_env: ...`."""
    field = str(error).removeprefix(f"models.{name}").removeprefix(".").partition(":")[0]
    return config.place("models", name, field)


def _place_of_reward(config: Config, name: str, error: Exception) -> str:
    return _place_of_model(config, name, error) if name and str(error).startswith(f"models.{name}") else ""
