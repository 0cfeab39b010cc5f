"""The sections of `pairsmith.yaml`, one class each. Stage sections are identity: they are hashed into every manifest.

`runtime` alone is never hashed: it says how fast and with which keys, never what.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from pairsmith.config.annotating import AnchorConfig, AnnotatorConfig
from pairsmith.config.generating import GenerateConfig
from pairsmith.config.modelling import ModelConfig
from pairsmith.config.places import place_of
from pairsmith.config.resolve import ConflictsConfig, ResolveConfig, SelectConfig
from pairsmith.config.section import Section, Share
from pairsmith.config.splitting import SplitConfig

__all__ = [
    "AnnotateConfig",
    "AnnotatorConfig",
    "CollectConfig",
    "Config",
    "ConflictsConfig",
    "ExportConfig",
    "GateConfig",
    "GenerateConfig",
    "ModelConfig",
    "ResolveConfig",
    "RuntimeConfig",
    "Section",
    "SelectConfig",
    "SourceConfig",
    "SplitConfig",
    "ValidateConfig",
]

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

SourceFormat = Literal[
    "auto", "prompts", "text", "chat", "preference", "hh", "arena", "pandalm", "ukp", "votes", "edits"
]


class SourceConfig(Section):
    """One file (or folder of files) that `collect` reads."""

    path: str = Field(min_length=1)
    """File to read, relative to the project folder. Compression is recognised by content."""
    format: SourceFormat = "auto"
    """Shape of the rows; `auto` decides by the field names of the first rows and says what it chose."""
    name: str = ""
    """Name shown in reports; the file name if empty."""
    licence: str = ""
    """Licence of the data, carried into every row."""
    category: str = ""
    """Category given to prompts that name none; empty: decided by simple rules."""
    language: str = ""
    """Language given to prompts that name none."""
    anonymise: bool | None = None
    """Replace personal data by pseudonyms before storing; by default on for `chat` logs and off elsewhere."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """Read at most this many rows."""
    annotator_kind: Literal["human", "judge", "reward", "verifier", "imported"] = "imported"
    """Who made the labels of a `preference` or `hh` file, if you know it."""


class CollectConfig(Section):
    """Stage 1: where prompts, and candidates or votes that exist already, come from."""

    sources: tuple[SourceConfig, ...] = ()
    """Files to read, in this order."""
    max_rejected: Share = 0.01
    """A source with a larger share of unusable rows is reported as a warning in red."""
    unsafe: Literal["drop", "flag", "keep"] = "flag"
    """What to do with prompts that ask for harm, as far as simple rules can tell: `drop` rejects the row."""


class AnnotateConfig(Section):
    """Stage 3: which pairs are compared, and by whom."""

    annotators: tuple[AnnotatorConfig, ...] = ()
    """Who votes; empty: only imported votes count."""
    comparisons: Literal["all", "adjacent"] = "all"
    """`all` pairs of a prompt's candidates, or only `adjacent` samples."""
    max_per_prompt: Annotated[int, Field(ge=1)] = 6
    """At most this many comparisons per prompt."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """How many of the annotators vote on each comparison, drawn by seed; 0: all of them."""
    anchor: AnchorConfig = AnchorConfig()
    """The comparisons that people label, so that the labels of models can be believed."""


class ValidateConfig(Section):
    """Stage 5: what a pair must satisfy, and the files it must not repeat."""

    benchmarks: tuple[str, ...] = ()
    """Evaluation files; without any, the `benchmarks/` folder of the project; without that, not evaluated."""
    contaminated: Literal["drop", "flag", "report"] = "drop"
    """`drop` removes pairs that repeat a benchmark item; `flag` keeps them and says so in their rows; `report` keeps
    them as they are. They count in all three."""
    near: Literal["review", "drop", "off"] = "review"
    """Pairs whose prompt is near an item by its words or its meaning: `review` keeps them and says so in their rows."""
    semantic: str = "off"
    """Embedder that compares meanings: `minilm`, a name from `models`, or `off`."""
    ngram: Annotated[int, Field(ge=2, le=50)] = 5
    """Words per n-gram when looking for benchmark items."""
    coverage: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    """A pair is contaminated when more than this share of an item lies in shared n-grams; shorter items need more."""
    unmeasured: Literal["keep", "drop"] = "keep"
    """What happens to pairs whose gap nobody measured (see `gap_kind`): `drop` leaves them out."""
    min_level: Literal["poor", "marginal", "good", "excellent"] = "marginal"
    """Pairs of a lower level of the quality matrix are dropped; levels that could not be measured are kept."""
    poor: Literal["drop", "queue"] = "drop"
    """Pairs dropped for their level: `queue` also lists them in `queue.jsonl` for another round of annotation."""


class ExportConfig(Section):
    """Stage 7: the rows as they are written."""

    shape: Literal["conversational", "standard"] = "conversational"
    """`conversational`: lists of messages. `standard`: plain strings, possible for single turns only."""


class GateConfig(Section):
    """What the dataset must reach."""

    min_gap: Share = 0.15
    """Smallest mean preference gap."""
    min_pairs: Annotated[int, Field(ge=1)] = 1000
    """Fewest pairs."""
    min_decontamination: Share = 0.9
    """Smallest share of pairs free of benchmark items."""
    min_ai_accuracy: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Smallest accuracy, against people, of the models whose votes alone decide pairs; unset: not asked for."""

    @field_validator("min_gap", mode="before")
    @classmethod
    def _gap_on_unit_scale(cls, gap: Any) -> Any:
        if isinstance(gap, (int, float)) and gap > 1:
            raise ValueError(f"the gap is on the scale 0 to 1; {gap} is outside it, did you mean {gap / 10:.2f}?")
        return gap


MOST_IN_FLIGHT: Final = 256
"""Where `runtime.concurrency: auto` ends: what the usual engines batch at most."""


class RuntimeConfig(Section):
    """How fast, how long, where: never part of a dataset's identity."""

    concurrency: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = "auto"
    """Most requests in flight to one server; `auto`: found out, up to 256. A server that is overloaded gets fewer."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Total time one request may take, in seconds, before it counts as failed."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """Attempts per request before the work is left for the next run."""
    batch_wait_s: Annotated[float, Field(ge=0)] = 600.0
    """How long a run waits for a batch before it ends, in seconds; the next run asks for it again."""
    batch_poll_s: Annotated[float, Field(gt=0)] = 30.0
    """How often it asks meanwhile, in seconds."""
    probe: bool = True
    """Find out what a server can do by six short requests before its first use."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Processes for local models and heavy kernels; 0: one per core."""
    engine: Literal["serial", "processes", "ray"] = "processes"
    """How heavy kernels are executed on large sets; `ray` needs the extra of that name. The result is the same."""
    cache: str = "cache"
    """Folder for deletable intermediate files."""

    @property
    def most_in_flight(self) -> int:
        """The most requests that one server may get at once."""
        return MOST_IN_FLIGHT if self.concurrency == "auto" else self.concurrency


class Config(Section):
    """All of `pairsmith.yaml`."""

    version: Literal[1] = 1
    """Version of this file's format."""
    name: Name = "my-dataset"
    """Name of the dataset."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything that is drawn."""
    models: dict[str, ModelConfig] = Field(default={})
    """Models by name."""
    collect: CollectConfig = CollectConfig()
    """Stage 1."""
    generate: GenerateConfig = GenerateConfig()
    """Stage 2."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Stage 3."""
    resolve: ResolveConfig = ResolveConfig()
    """Stage 4."""
    validation: ValidateConfig = Field(default=ValidateConfig(), alias="validate")
    """Stage 5."""
    split: SplitConfig = SplitConfig()
    """Stage 6."""
    export: ExportConfig = ExportConfig()
    """Stage 7."""
    gate: GateConfig = GateConfig()
    """What the dataset must reach."""
    runtime: RuntimeConfig = RuntimeConfig()
    """How fast and with which keys; never hashed."""

    _places: Mapping[tuple[str | int, ...], str] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        wanted = [("generate.models", name) for name in self.generate.models]
        wanted += [("generate.strategies", name) for name in self.generate.asks()]
        wanted += [("annotate.annotators", name) for each in self.annotate.annotators for name in each.needed_models]
        if self.validation.semantic not in ("off", "minilm"):
            wanted.append(("validate.semantic", self.validation.semantic))
        for key, name in wanted:
            if name not in self.models:
                known = ", ".join(self.models) or "none is defined"
                raise ValueError(f"{key} names the model {name!r}, which `models` does not define (defined: {known})")
        unpriced = [name for name in self.generate.asks() if self.models[name].price is None]
        unpriced = [name for name in unpriced if self.models[name].kind != "local"]
        if self.generate.budget.max_cost is not None and unpriced:
            raise ValueError(f"generate.budget.max_cost needs models.{unpriced[0]}.price: {{input: ..., output: ...}}")
        return self

    def standing_at(self, places: Mapping[tuple[str | int, ...], str]) -> Self:
        """The same configuration, which knows in which file and line each key stands."""
        placed = self.model_copy()
        placed._places = places
        return placed

    def place(self, *path: str | int) -> str:
        """File and line of a key, as in `config.place("models", "big")`: `pairsmith.yaml:12`."""
        return place_of(path, self._places)

    def identity(self) -> dict[str, Any]:
        """Everything that decides the content of the dataset: all but `runtime`, money and the names of keys."""
        models = {name: {"api_key_env", "price"} for name in self.models}
        form = {"train"} if self.split.parts else {"parts"}  # the one that was not given
        spending: Any = {"runtime": True, "generate": {"budget"}, "models": models, "split": form}
        return self.model_dump(mode="json", by_alias=True, exclude=spending)
