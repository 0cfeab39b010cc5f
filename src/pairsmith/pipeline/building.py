"""A build: the deriving stages over the ledger, written as one immutable directory."""

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pairsmith
from pairsmith.builds import Build, find_build, make_latest, write_atomically, write_build
from pairsmith.config import Config
from pairsmith.errors import UsageError
from pairsmith.ids import canonical_json, content_id
from pairsmith.ledger import Ledger
from pairsmith.pipeline.deriving import Derived, derive
from pairsmith.pipeline.facts import Facts, read_benchmarks, read_facts
from pairsmith.pipeline.gate import gate_document
from pairsmith.pipeline.meanings import semantic_embedder
from pairsmith.report.card import render_card
from pairsmith.report.html import render_report
from pairsmith.stages.export import to_jsonl

__all__ = ["build", "code_version", "copy_rows", "derive_now", "fingerprint_now"]

ALL_ROWS = "preference_pairs.jsonl"


def derive_now(project: Path, config: Config, ledger: Ledger, as_of: int | None = None) -> tuple[Derived, Facts]:
    """Run the deriving stages and write nothing."""
    facts = read_facts(ledger, as_of)
    origin, benchmarks = _origin(project, config, facts.position)
    return derive(config, facts, benchmarks, origin, semantic_embedder(config, project)), facts


def build(project: Path, config: Config, ledger: Ledger, as_of: int | None = None) -> tuple[Build, bool]:
    """The build of the ledger at position `as_of` (by default now), and whether it had to be made.

    The same facts, configuration, benchmark files and code always give the same bytes, so a build that is there
    already is returned as it is. Only builds of the present ledger become `builds/latest`.

    Raises:
        InputError: if a benchmark file cannot be read.
        BuildError: if the build cannot be written.
        UsageError: if the ledger has not come to position `as_of`.
    """
    facts = read_facts(ledger, as_of)
    origin, benchmarks = _origin(project, config, facts.position)
    present = find_build(project, origin["fingerprint"])
    if present is not None:
        if as_of is None:
            make_latest(present)
        return present, False
    derived = derive(config, facts, benchmarks, origin, semantic_embedder(config, project))
    files = _files(derived, facts)
    if config.resolve.conflicts.domains == "split_dataset":
        files |= _domain_files(derived.exported.kept, list(derived.metrics["split"]["parts"]))
    return write_build(project, files, origin, latest=as_of is None), True


def fingerprint_now(project: Path, config: Config, ledger: Ledger) -> str:
    """What a build made now would be known by."""
    return str(_origin(project, config, ledger.position())[0]["fingerprint"])


def copy_rows(made: Build, folder: Path, *, force: bool = False, inputs: Sequence[Path] = ()) -> list[Path]:
    """Copy the rows of a build into a folder; returns the files. `inputs` are never overwritten.

    Raises:
        UsageError: if one of them is there already and `force` is not given, if a part of an earlier export is there
            that the build does not have, or the folder cannot be written.
    """
    parts = made.read_json("split/metrics.json")["split"]["parts"]
    paths = [folder / name for name in (*_part_files(parts).values(), ALL_ROWS)]
    taken = [path for path in paths if path.exists()]
    sources = {path.resolve() for path in inputs}
    for path in taken:
        if path.resolve() in sources:
            raise UsageError(f"{path}: is a source of this dataset; choose another folder")
    if taken and not force:
        raise UsageError(f"{taken[0]}: exists already; choose another folder, or overwrite it with --force")
    for path in sorted({*folder.glob("*.jsonl")} - {*paths}):
        if _is_part(path):
            raise UsageError(
                f"{path}: a part of an earlier export, whose rows may now lie in another part; delete it, or choose "
                "another folder"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            write_atomically(path, (made.path / path.name).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    return paths


@functools.cache
def code_version() -> str:
    """The version of Pairsmith and a digest of its source: two builds of different code never pass for one."""
    root = Path(pairsmith.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in {".py", ".j2", ".json", ".css"}:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{pairsmith.__version__}+{digest.hexdigest()[:12]}"


def _origin(project: Path, config: Config, position: int) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """What a build is made from, and the benchmark files it needs."""
    benchmarks = read_benchmarks(config.validation, project)
    identity = config.identity()
    origin: dict[str, Any] = {
        "name": config.name,
        "seed": config.seed,
        "ledger_position": position,
        "code_version": code_version(),
        "config": identity,
        "config_sha256": hashlib.sha256(canonical_json(identity).encode()).hexdigest(),
        "benchmarks": [{"name": each.name, "sha256": each.sha256, "items": len(each.items)} for each in benchmarks],
    }
    origin["fingerprint"] = hashlib.sha256(canonical_json(origin).encode()).hexdigest()
    return origin, benchmarks


def _files(derived: Derived, facts: Facts) -> dict[str, bytes]:
    """All files of a build but the manifest."""
    rows = derived.exported.kept
    gate = gate_document(derived.gate)
    rejected = [
        {"stage": "collect", "id": each.id, "reason": each.reason, "evidence": _rejection(each)}
        for each in facts.last_rejected
    ]
    comparison_of = {pair.id: pair.comparison_id for pair in derived.pairs}
    dropped = [{**asdict(each), "comparison_id": comparison_of.get(each.id, each.id)} for each in derived.dropped]
    files = {
        **{
            name: to_jsonl([row for row in rows if row["part"] == part])
            for part, name in _part_files(derived.metrics["split"]["parts"]).items()
        },
        ALL_ROWS: to_jsonl(rows),
        "dropped.jsonl": to_jsonl([*rejected, *dropped]),
        "metrics.json": _json(derived.metrics),
        "gate.json": _json(gate),
        "report.html": render_report(derived.metrics, gate).encode("utf-8"),
        "README.md": render_card(derived.metrics, gate).encode("utf-8"),
        "queue.jsonl": to_jsonl([asdict(each) for each in derived.queued]),
        "conflicts.jsonl": to_jsonl([asdict(each) for each in derived.resolved.conflicts]),
        "contamination.jsonl": to_jsonl([dict(each) for each in derived.validated.contamination]),
        "resolve/resolutions.jsonl": to_jsonl([asdict(each) for each in derived.resolved.kept]),
    }
    stages: Mapping[str, Mapping[str, Any]] = {
        "collect": {"funnel": derived.metrics["funnel"][:1], "inputs": derived.metrics["inputs"]},
        "generate": derived.metrics["generation"],
        "annotate": {"annotators": derived.metrics["annotators"]},
        "resolve": derived.resolved.metrics,
        "validate": derived.validated.metrics,
        "split": derived.split.metrics,
        "export": derived.exported.metrics,
    }
    return files | {f"{stage}/metrics.json": _json(metrics) for stage, metrics in stages.items()}


def _part_files(parts: Iterable[str]) -> dict[str, str]:
    return {part: f"{part}.jsonl" for part in parts}


def _is_part(path: Path) -> bool:
    """Whether this is a part as it was once exported: its first row says so."""
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(row, dict) and "pair_id" in row and row.get("part") == path.stem


def _domain_files(rows: Sequence[Mapping[str, Any]], parts: Sequence[str]) -> dict[str, bytes]:
    """A dataset for each domain: its own rows and those that hold for everybody. Names that are no file names change.

    Groups that want opposite things have opposite rows, which nobody should train on together.
    """
    files = {}
    for domain in sorted({row["domain"] for row in rows if row["domain"]}):
        folder = domain if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", domain) else content_id("domain", domain)
        for part, name in _part_files(parts).items():
            own = [row for row in rows if row["domain"] in ("", domain) and row["part"] == part]
            files[f"domains/{folder}/{name}"] = to_jsonl(own)
    return files


def _rejection(rejected: Any) -> dict[str, Any]:
    return {key: getattr(rejected, key) for key in ("source", "line", "field", "detail")}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
