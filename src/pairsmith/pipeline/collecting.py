"""The collecting stages as a project runs them: models and annotators opened from the configuration, then closed."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pairsmith.config import Config
from pairsmith.errors import InputError
from pairsmith.ledger import Ledger
from pairsmith.models.annotators import CHAT_KINDS, close_annotator, expand_panels, open_annotator
from pairsmith.models.loading import open_chat_model
from pairsmith.models.protocols import Annotator, ChatModel
from pairsmith.pipeline.estimating import estimate, in_words, remember_rates
from pairsmith.pipeline.guidelines import guideline
from pairsmith.pipeline.intake import intake
from pairsmith.pipeline.losing import lost_candidates
from pairsmith.pipeline.servers import know_servers, teach
from pairsmith.pipeline.watching import live_line, traffic
from pairsmith.records import Annotation, Comparison, Progress
from pairsmith.stages.anchor_drawing import draw_anchor
from pairsmith.stages.annotate import annotate
from pairsmith.stages.collect import collect, unread_files
from pairsmith.stages.generate import generate

__all__ = ["Notify", "left_to_do", "run_annotate", "run_collect", "run_generate"]

Notify = Callable[[int, int, str], None]
"""Called with (done, total, speed and what the servers bear in words) as work goes on."""


async def run_collect(project: Path, config: Config, ledger: Ledger, notify: Notify | None = None) -> Progress:
    """Read what is not read yet of the configured sources."""
    live = live_line(notify, {})
    return await collect(
        config.collect, ledger, project=project, transform=intake(project, config, ledger), notify=live
    )


async def run_generate(project: Path, config: Config, ledger: Ledger, notify: Notify | None = None) -> Progress:
    """Draw the samples that are missing."""
    prices = {name: model.price for name, model in config.models.items()}
    names = config.generate.asks()
    async with _models(project, config, names) as models:
        servers, remarks = await know_servers(project, config, names)
        for name, found in servers.items():
            teach(models[name], found)
        live, lost = live_line(notify, models), lost_candidates(config, ledger)
        progress = await generate(
            config.generate, ledger, models, seed=config.seed, prices=prices, lost=lost, notify=live
        )
        details = {**progress.details, "servers": servers, "traffic": traffic(models)}
    remember_rates(project, config, progress)
    return replace(progress, notes=(*progress.notes, *remarks), details=details)


async def run_annotate(project: Path, config: Config, ledger: Ledger, notify: Notify | None = None) -> Progress:
    """Compare what is not compared yet and ask for the votes that are missing."""
    entries = expand_panels(config.annotate.annotators, config.models)
    async with _models(project, config, [each.model for each in entries if each.kind in CHAT_KINDS]) as models:
        version, text = guideline(project)
        annotators: list[Annotator] = [
            open_annotator(
                each,
                models,
                seed=config.seed,
                guideline=version,
                guideline_text=text,
                sections=config.models,
                runtime=config.runtime,
                project=project,
            )
            for each in entries
        ]
        concurrency = config.runtime.most_in_flight
        try:
            live = live_line(notify, models)
            progress = await annotate(
                config.annotate, ledger, annotators, seed=config.seed, concurrency=concurrency, notify=live
            )
            seen = traffic(models)
        finally:
            for annotator in annotators:
                await close_annotator(annotator)
    anchor = draw_anchor(config.annotate.anchor, ledger, seed=config.seed)
    drawn = f"anchor: {anchor['new']} comparisons drawn for people to label (pairsmith sheet)"
    notes = (*progress.notes, drawn) if anchor["new"] else progress.notes
    return replace(progress, notes=notes, details={**progress.details, "traffic": seen, "anchor": anchor})


def left_to_do(project: Path, config: Config, ledger: Ledger) -> dict[str, str]:
    """What each collecting stage would still do, in words; no model is opened for it."""
    wanted = estimate(project, config, ledger)
    voted = {annotation.comparison_id for annotation in ledger.read(Annotation)}
    unvoted = len(ledger.ids(Comparison) - voted)
    return {
        "collect": _unread(project, config, ledger),
        "generate": in_words(wanted) if wanted["calls"] else "nothing",
        "annotate": f"{unvoted:,} comparisons have no vote" if unvoted else "nothing",
    }


def _unread(project: Path, config: Config, ledger: Ledger) -> str:
    try:
        files = unread_files(config.collect, ledger, project)
    except InputError as error:
        return str(error)
    return f"{len(files)} files to read: {', '.join(files)}" if files else "nothing"


@asynccontextmanager
async def _models(project: Path, config: Config, names: Sequence[str]) -> AsyncIterator[dict[str, ChatModel]]:
    async with AsyncExitStack() as stack:
        models: dict[str, ChatModel] = {}
        for name in dict.fromkeys(names):
            models[name] = open_chat_model(name, config.models[name], config.runtime, project=project)
            stack.push_async_callback(models[name].close)
        yield models
