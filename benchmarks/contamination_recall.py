"""How many planted benchmark items are found, and how much clean text is accused.

    python benchmarks/contamination_recall.py DATA [--set held-out|chosen-on] [--near] [--semantic CACHE] [--quick]

DATA is a folder with `benchmarks/`, `prompts/`, `preferences/`, `contamination/` and `derived/`. Items are planted from
benchmarks that no threshold was chosen on (`held-out`) or from those that were; the index holds all. Hard negatives are
GSM8K items against an index of the other half of GSM8K: same authors, same style, other problems (MATH for the set the
thresholds were chosen on, where many problems are one template with other numbers). Prints a table and a line of JSON.

`--near` adds the lexical stage; `--semantic CACHE` also the embedder `minilm`, whose vectors are kept in that folder.
The rephrasings of GSM8K by a language model are split: the thresholds were chosen on every other one, the rest is held
out.
"""

import argparse
import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pairsmith.formats.benchmarks import find_benchmarks, read_benchmark
from pairsmith.measures.contamination import ContaminationIndex, Hit, build_index, find_all
from pairsmith.measures.near_items import Near, NearIndex, build_near, cosines_of, decide, propose, to_embed
from pairsmith.measures.text import words
from pairsmith.models.minilm import MiniLMEmbedder
from pairsmith.models.protocols import Embedder
from pairsmith.models.vector_cache import CachedEmbedder

CHOSEN_ON = ("gsm8k_test", "HumanEval", "decon_mmlu_test-1", "mt_bench_question", "SVAMP", "mbpp", "winogrande_test")
FLOORS = {"exact": 0.98, "case": 0.98, "wrapped": 0.98, "in_response": 0.98, "edit10": 0.75}
FLOORS |= {"short_exact": 0.92, "short_wrapped": 0.92}
NEAR_FLOORS = {"edit30": 0.95, "rephrased_gsm8k": 0.90}
CEILINGS = {"generic": 0.0015, "hard": 0.002}
HARD_ITEMS = 1319
SEEDS = {"held-out": 20, "chosen-on": 1}

Benchmarks = Sequence[tuple[str, Sequence[str]]]
Found = Hit | Near


def benchmarks_in(data: Path) -> list[tuple[str, list[str]]]:
    """All evaluation sets, without the items that are one template filled with numbers."""
    found = [read_benchmark(path) for path in find_benchmarks(data / "benchmarks") if path.parent.name != "bbh"]
    return [(each.name, list(dict.fromkeys(each.items))) for each in found]


def strings_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_in(each)


def texts_in(folder: Path, names: Sequence[str]) -> list[str]:
    """Distinct texts of at least five words in the JSON files whose paths begin with one of `names`, sorted."""
    found: dict[str, None] = {}
    for path in sorted(folder.rglob("*.json*")):
        if not str(path.relative_to(folder)).startswith(tuple(names)):
            continue
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode().splitlines() if ".jsonl" in path.name else [raw.decode()]
        for line in filter(str.strip, lines):
            found.update(dict.fromkeys(text for text in strings_in(json.loads(line)) if text.count(" ") >= 4))
    return sorted(found)


def edited(text: str, rng: random.Random, share: float, vocabulary: Sequence[str]) -> str:
    """A share of the words replaced, left out, or followed by another."""
    tokens = text.split()
    for place in sorted(rng.sample(range(len(tokens)), max(1, round(share * len(tokens)))), reverse=True):
        way = rng.randrange(3)
        tokens[place : place + 1] = [
            [rng.choice(vocabulary)],
            [],
            [tokens[place], rng.choice(vocabulary)],
        ][way]
    return " ".join(tokens)


def plants(fillers: Sequence[str]) -> dict[str, Callable[[str, random.Random], str]]:
    """The kinds of copies."""
    vocabulary = " ".join(fillers[:2000]).split()

    def wrapped(text: str, rng: random.Random) -> str:
        before, after = (" ".join(rng.choices(vocabulary, k=rng.randint(20, 120))) for _ in range(2))
        return f"{before}\n\n{text}\n\n{after}"

    def case(text: str, rng: random.Random) -> str:
        spaced = "".join(
            rng.choice(("  ", "\n", "\t")) if each == " " and rng.random() < 0.3 else each for each in text
        )
        bare = "".join(each for each in spaced if each not in ",;:!?" or rng.random() < 0.5)
        return bare.upper() if rng.random() < 0.5 else bare.title().replace("'S", "'s")

    def rotated(text: str, rng: random.Random) -> str:
        sentences = text.split(". ")
        rng.shuffle(sentences)
        return ". ".join(sentences)

    def first(text: str, _: random.Random) -> str:
        tokens = text.split()
        return " ".join(tokens[: -(-len(tokens) * 6 // 10)])

    return {
        "exact": lambda text, _: text,
        "case": case,
        "wrapped": wrapped,
        "in_response": lambda text, rng: f"Sure, here it is. {rng.choice(fillers)}\n{text}\n{rng.choice(fillers)}",
        "sentences_shuffled": rotated,
        "first_60pct": first,
        "edit10": lambda text, rng: edited(text, rng, 0.1, vocabulary),
        "edit30": lambda text, rng: edited(text, rng, 0.3, vocabulary),
    }


class Search:
    """Everything that is looked for in one text, as the stage `validate` does it: copies first, then near items."""

    def __init__(self, benchmarks: Benchmarks, *, near: bool, embedder: Embedder | None) -> None:
        self.index: ContaminationIndex = build_index(benchmarks)
        self.near: NearIndex | None = build_near(benchmarks) if near else None
        self.embedder = embedder

    def find(self, texts: Sequence[str], field: str = "prompt") -> list[Found | None]:
        """What each text repeats or, being a prompt, comes near to; what is only possible does not count."""
        hits: list[Found | None] = list(find_all(self.index, [{field: text} for text in texts]))
        if self.near is None or field != "prompt":
            return hits
        found = propose(self.near, texts)
        cosines = None
        if self.embedder:
            wanted = to_embed(self.near, texts, found)
            vectors = dict(zip(wanted, self.embedder.embed(wanted), strict=True))
            cosines = cosines_of(self.near, texts, found, vectors)
        close = {text: near for text, near in decide(self.near, texts, found, cosines).items() if sure(near)}
        return [hit or close.get(text) for text, hit in zip(texts, hits, strict=True)]


def sure(near: Near) -> bool:
    """Whether the pair would be marked."""
    return near.method != "possible"


def recall(search: Search, benchmarks: Benchmarks, fillers: Sequence[str], each: int, seed: int) -> dict[str, Any]:
    """Share of planted items found, per kind; short items have 5 to 11 words."""
    kinds = plants(fillers)
    pools = {False: [], True: []}  # type: dict[bool, list[str]]
    for _, items in benchmarks:
        for item in items:
            if (length := len(words(item))) >= 5:
                pools[length < 12].append(item)
    wanted = [(kind, False) for kind in kinds] + [("exact", True), ("wrapped", True)]
    shares = {}
    for kind, short in wanted:
        rng = random.Random(f"{seed} {kind} {short}")
        chosen = rng.sample(pools[short], min(each, len(pools[short])))
        field = "chosen" if kind == "in_response" else "prompt"
        hits = search.find([kinds[kind](item, rng) for item in chosen], field)
        shares[f"short_{kind}" if short else kind] = sum(hit is not None for hit in hits) / len(chosen)
    return shares


def rephrased(search: Search, data: Path, half: int) -> dict[str, Any]:
    """Share of rephrased items found; of GSM8K one half."""
    folder = data / "contamination" / "llm_decontaminator"
    raw = gzip.decompress((folder / "rephrase_gsm8k.jsonl.gz").read_bytes()).decode()
    texts = {"rephrased_gsm8k": [json.loads(line)["text"] for line in raw.splitlines()][half::2]}
    for kind, name in (
        ("rephrased_humaneval", "humaneval_python.jsonl"),
        ("rephrased_mmlu", "abstract_algebra_test_rephrase_english_filtered_question.jsonl"),
    ):
        rows = [json.loads(line)["text"] for line in (folder / name).read_text().splitlines()]
        texts[kind] = [text for text in rows if text.strip()]
    return {kind: sum(hit is not None for hit in search.find(each)) / len(each) for kind, each in texts.items()}


def accused(search: Search, texts: Sequence[str]) -> list[tuple[str, Found]]:
    """The texts in which an item is found."""
    hits = search.find(texts)
    return [(text, hit) for text, hit in zip(texts, hits, strict=True) if hit]


def hard_negatives(search: Search, benchmarks: Benchmarks, name: str) -> list[tuple[str, Found]]:
    """The items of one half of a benchmark in which an item of the other half is found, both ways round.

    The other benchmarks are in the index, too, as their items weigh the words; but only the other half accuses.
    """
    items = dict(benchmarks)[name][:HARD_ITEMS]
    flagged: list[tuple[str, Found]] = []
    others = [each for each in benchmarks if each[0] != name]
    for half in (0, 1):
        source, rest = ("other half", items[half::2]), items[1 - half :: 2]
        near = Search([source, *others], near=search.near is not None, embedder=search.embedder)
        copies = dict(accused(Search([source], near=False, embedder=None), rest))
        for text, hit in accused(near, rest):
            if text not in copies and isinstance(hit, Near) and hit.benchmark == "other half":
                copies[text] = hit
        flagged += copies.items()
    return flagged


def labelled(search: Search, data: Path) -> dict[str, Any]:
    """Recall per kind on the labelled rows, and on the real leaks of Chatbot Arena into MT-Bench."""
    kinds: dict[str, list[bool]] = {}
    rows = gzip.decompress((data / "derived" / "planted_contamination.jsonl.gz").read_bytes()).splitlines()
    labels = [json.loads(row) for row in rows]
    for row, hit in zip(labels, search.find([row["prompt"] for row in labels]), strict=True):
        kinds.setdefault(row["kind"], []).append(hit is not None)
    path = data / "contamination" / "routellm_mt_bench_contaminated_prompts.jsonl"
    leaks = [json.loads(line)["train_prompt"] for line in path.read_text().splitlines()]
    shares = {kind: {"found": sum(hits) / len(hits), "rows": len(hits)} for kind, hits in sorted(kinds.items())}
    return {"planted": shares, "arena_leaks": [len(accused(search, leaks)), len(leaks)]}


def main() -> None:
    """Measure one set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=SEEDS, default="held-out")
    parser.add_argument("--quick", action="store_true", help="a third of the plants, an eighth of the texts")
    parser.add_argument("--near", action="store_true", help="also the lexical stage")
    parser.add_argument("--semantic", type=Path, help="also the semantic stage; folder for its vectors")
    parser.add_argument("--show", type=int, default=0, help="print so many false accusations")
    options = parser.parse_args()
    benchmarks = benchmarks_in(options.data)
    embedder = CachedEmbedder(MiniLMEmbedder(threads=2), options.semantic) if options.semantic else None
    search = Search(benchmarks, near=options.near or embedder is not None, embedder=embedder)
    planted = [pair for pair in benchmarks if (pair[0] in CHOSEN_ON) == (options.set == "chosen-on")]
    half = int(options.set == "held-out")
    generic = texts_in(options.data / "prompts", ("gpteacher", "oasst", "self_instruct", "vicuna", "clinc"))[half::2]
    generic += texts_in(options.data / "preferences", ("hh_rlhf", "fine_grained", "pandalm/testset"))[half::2]
    generic = generic[:: 8 if options.quick else 1]
    result: dict[str, Any] = {"benchmark": "contamination_recall", "set": options.set, "seed": SEEDS[options.set]}
    result["recall"] = recall(search, planted, generic, 200 if options.quick else 600, SEEDS[options.set])
    false = accused(search, generic)
    name = "gsm8k_test" if options.set == "held-out" else "math_test"
    items = dict(benchmarks)[name][:HARD_ITEMS]
    hard = hard_negatives(search, benchmarks, name)
    result["recall"] |= rephrased(search, options.data, half)
    result["accused"] = {"generic": len(false) / len(generic), "hard": len(hard) / len(items)}
    result["negatives"] = {"generic": len(generic), "hard": f"{len(items)} of {name}"}
    result |= labelled(search, options.data)
    for text, hit in [*false[: options.show], *hard[: options.show]]:
        print(f"{hit.method} {hit.score:.2f} {hit.benchmark} {hit.text[:150]!r}\n    {text[:200]!r}\n    {hit.span!r}")
    for kind, share in result["recall"].items():
        floor = (FLOORS | NEAR_FLOORS if embedder else FLOORS).get(kind)
        verdict = "" if floor is None else f"   at least {floor}: {'pass' if share >= floor else 'FAIL'}"
        print(f"{kind:>20} {share:6.3f}{verdict}")
    for kind, ceiling in CEILINGS.items():
        share = result["accused"][kind]
        print(f"{kind + ' accused':>20} {share:7.4f}  at most {ceiling}: {'pass' if share <= ceiling else 'FAIL'}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
