"""Made-up metrics in the shape of `metrics.json`, with numbers that add up like those of a real small dataset."""

import copy
from typing import Any

XSS = [
    "<script>document.title='owned'</script>",
    "<ScRiPt >document.title='owned'</sCrIpT>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=document.title='owned'>",
    "<svg><script>document.title='owned'</script></svg>",
    "\"><script>document.title='owned'</script>",
    "'><img src=x onerror=document.title='owned'>",
    "</title><script>document.title='owned'</script>",
    "</style><script>document.title='owned'</script>",
    "</textarea><h1>broken page</h1>",
    "</details></section></main></body></html><script>document.title='owned'</script>",
    "--><script>document.title='owned'</script>",
    "<!--<script>",
    "]]><script>document.title='owned'</script>",
    "<iframe srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    "<a href=\"javascript:document.title='owned'\" autofocus onfocus=document.title='owned'>click</a>",
    "<body onload=document.title='owned'>",
    "<details open ontoggle=document.title='owned'>",
    "<meta http-equiv=refresh content='0;url=data:text/html,owned'>",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "{{ 7 * 7 }}{% raw %}{{ config }}",
    "&lt;script&gt;document.title='owned'&lt;/script&gt;",
    '" onmouseover="document.title=\'owned\'" x="',
    "' style='position:fixed;inset:0' onclick='document.title=1' x='",
    "` onerror=document.title='owned' `",
    "![x](javascript:document.title='owned') [y](data:text/html,owned) ![t](//evil.example/pixel.png)",
    "<style>@import '//evil.example/x.css'; *{display:none}</style>",
    "safe\u202egnp.exe \u2066isolate\u2069 zero\u200bwidth \ufeffbom \x1b[31mred\x1b[0m \x00 \U000e0041tag",
    "Z" + "\u0337\u0321\u0352" * 200 + "algo",
    "\ud800 lone surrogate",
]
"""Texts that try to run, to break out of where they stand, or to hide; `owned` in the title means one succeeded."""


def figure(value: float | None, low: float = 0.0, high: float = 0.0, n: int = 0, reason: str = "") -> dict[str, Any]:
    interval = None if value is None or low == high else [low, high]
    return {"value": value, "interval": interval, "n": n, "reason": reason}


def metrics() -> dict[str, Any]:
    """A fresh copy of the metrics of a dataset with everything measured but what such a dataset cannot have."""
    return copy.deepcopy(_METRICS)


def gate(state: str = "pass") -> dict[str, Any]:
    """A fresh gate of five criteria: all `pass`, or with one failed and one not evaluated (`fail`)."""
    found = copy.deepcopy(_GATE)
    if state != "pass":
        found["passed"] = False
        found["criteria"][1] |= {"value": 694, "threshold": 1000, "state": "fail"}
        found["criteria"][2] |= {
            "value": None,
            "interval": None,
            "state": "not_evaluated",
            "reason": "No benchmark file was supplied, so nothing was compared.",
        }
    return found


_GATE: dict[str, Any] = {
    "passed": True,
    "criteria": [
        {
            "name": "preference_gap",
            "value": 0.8912,
            "interval": [0.8713, 0.9102],
            "n": 694,
            "threshold": 0.15,
            "state": "pass",
            "reason": "",
            "remedy": "Generate more diverse responses, or sharpen the annotation guidelines.",
        },
        {
            "name": "pairs",
            "value": 694,
            "interval": None,
            "n": 694,
            "threshold": 400,
            "state": "pass",
            "reason": "",
            "remedy": "Collect more prompts and annotations; 306 more pairs are needed.",
        },
        {
            "name": "decontamination",
            "value": 1.0,
            "interval": [0.9945, 1.0],
            "n": 694,
            "threshold": 0.9,
            "state": "pass",
            "reason": "",
            "remedy": "Put evaluation sets into benchmarks/ or name them in validate.benchmarks, then build.",
        },
        {
            "name": "splits_created",
            "value": True,
            "interval": None,
            "n": 694,
            "threshold": True,
            "state": "pass",
            "reason": "",
            "remedy": "Collect more distinct prompts, so that both parts can be filled.",
        },
        {
            "name": "format_valid",
            "value": True,
            "interval": None,
            "n": 694,
            "threshold": True,
            "state": "pass",
            "reason": "",
            "remedy": "See format.errors in metrics.json, fix the rows and build again.",
        },
    ],
}

_LONG_ANSWER = """There are two common ways to do this.

1. **Slicing** is the shortest: `s[::-1]` walks the string backwards and makes a new one.
2. `"".join(reversed(s))` says what it does and works for every iterable.

```python
def reverse_string(s: str) -> str:
    \"\"\"Return `s` backwards.\"\"\"
    return s[::-1]


print(reverse_string("hello"))  # olleh
```

Both take time and memory proportional to the length of the string. Note that neither looks at grapheme
clusters: an accent that is a separate code point, or an emoji made of several, comes apart. If that matters
for your texts, split into grapheme clusters first, with a library that follows Unicode Standard Annex 29,
reverse the list of clusters and join it again. For plain ASCII input none of this makes any difference, and
the slice is what most readers of Python expect to see."""

_SAMPLES = [
    {
        "pair_id": "pair_5f0c7e21b9d84a3366d1e0aa",
        "prompt": "Write Python code to reverse a string.",
        "chosen": _LONG_ANSWER,
        "rejected": "```python\ns = 'hello'\nprint(s[::-1])\n```",
        "gap": 1.0,
        "agreement": 1.0,
        "level": "excellent",
        "category": "coding",
        "chosen_model": "gpt-3.5-turbo",
        "rejected_model": "alpaca-13b",
    },
    {
        "pair_id": "pair_aa31c0de77b2914f05c2d913",
        "prompt": "A train leaves at 9:40 and arrives at 13:05. How long does the journey take?",
        "chosen": "The journey takes 3 hours and 25 minutes.\n\nFrom 9:40 to 12:40 are 3 hours; from 12:40 to 13:05 "
        "are 25 minutes.",
        "rejected": "The journey takes 4 hours and 25 minutes.",
        "gap": 0.667,
        "agreement": 0.833,
        "level": "good",
        "category": "reasoning",
        "chosen_model": "claude-v1",
        "rejected_model": "llama-13b",
    },
    {
        "pair_id": "pair_0be1944c2ad7f3e8815b6c40",
        "prompt": "اشرح لي الفرق بين ‫Python‬ و Java من فضلك",
        "chosen": "بايثون لغة ديناميكية الأنواع، وجافا لغة ثابتة الأنواع. 👩‍👩‍👧‍👦",
        "rejected": "لا أعرف.",
        "gap": 1.0,
        "agreement": None,
        "level": "not_evaluated",
        "category": "general",
        "chosen_model": "gpt-4",
        "rejected_model": "vicuna-13b-v1.2",
    },
]

_SMALLEST = [
    {
        "pair_id": "pair_d3079ab1c55e2f6490aa7b18",
        "prompt": "Compose an engaging travel blog post about a recent trip to Hawaii.",
        "chosen": "Aloha! Three days on Oahu, and I am already planning the next trip …",
        "rejected": "Hawaii is a state in the Pacific. I recently had the pleasure of visiting it …",
        "gap": 0.125,
        "agreement": 0.625,
        "level": "marginal",
        "category": "writing",
        "chosen_model": "gpt-4",
        "rejected_model": "claude-v1",
    },
]

_METRICS: dict[str, Any] = {
    "dataset": {
        "name": "mt-bench",
        "seed": 7,
        "ledger_position": 8423,
        "code_version": "0.1.0",
        "config_sha256": "9b1de0f6a7c34c0fb1a4b7d7bd2c6f8e3a5d90417c2e6bb8f0a1c3d5e7f90214",
    },
    "funnel": [
        {"step": "rows_read", "count": 1942, "dropped": {}},
        {"step": "comparisons", "count": 1055, "dropped": {}},
        {"step": "resolved", "count": 776, "dropped": {"tie": 169, "low_agreement": 110}},
        {
            "step": "valid",
            "count": 698,
            "dropped": {"contaminated": 41, "duplicate": 24, "identical": 9, "level_too_low": 4},
        },
        {"step": "exported", "count": 694, "dropped": {"leak": 4}},
    ],
    "reason_texts": {
        "tie": "Most votes say that both answers are equally good; a tie never becomes a pair.",
        "low_agreement": "The winner has a smaller share of the votes than resolve.min_agreement asks for.",
        "contaminated": "The prompt or an answer repeats an item of an evaluation benchmark.",
        "duplicate": "The same prompt, chosen and rejected answer are in the data already.",
        "identical": "Chosen and rejected answer are the same text.",
        "level_too_low": "The pair's level of the quality matrix is below validate.min_level.",
        "leak": "The prompt is too similar to one of the other part.",
        "long_answer": "An answer has more than 4,000 words.",
    },
    "annotation": {
        "population": "all comparisons with at least one vote",
        "votes": 1942,
        "items": 1055,
        "annotators": 65,
        "items_with_2_or_more_votes": 559,
        "vote_pairs": 1359,
        "agreement": {
            "with_ties": figure(0.6770, 0.6419, 0.7117, 1359),
            "without_ties": figure(0.8435, 0.8092, 0.8760, 882),
        },
        "krippendorff_alpha": figure(0.5137, 0.4609, 0.5661, 559),
        "krippendorff_alpha_ordinal": figure(0.6012, 0.5440, 0.6561, 559),
        "fleiss_kappa": figure(0.4981, 0.4455, 0.5502, 559),
        "gwet_ac1": figure(0.5239, 0.4728, 0.5761, 559),
        "gwet_ac2": figure(0.5561, 0.4970, 0.6150, 559),
        "cohen_kappa": {"pairs": [{**figure(0.3434, 0.05, 0.6, 30), "first": "author_4", "second": "expert_24"}]},
        "leave_one_out": figure(0.7120, 0.6838, 0.7391, 1446),
        "no_majority_items": 110,
        "labels": {"a": 724, "b": 697, "tie": 421, "both_bad": 100},
        "by_kind": {"human": 1942},
        "superseded": 0,
    },
    "resolve": {"methods": {"majority": 694}, "split_by_group": 0},
    "corrections": {},
    "selection": {"policy": "all", "steps": []},
    "annotators": [
        {
            "name": f"expert_{index}",
            "kind": "human",
            "votes": 96 - 7 * index,
            "tie_share": 0.19 + 0.011 * index,
            "first_side_share": figure(0.492 + 0.004 * index, 0.39, 0.6, 78 - 6 * index),
            "agreement_with_others": figure(0.712 - 0.013 * index, 0.6, 0.8, 88 - 7 * index)
            if index < 6
            else figure(None, n=0, reason="no comparison shared with another annotator"),
        }
        for index in range(8)
    ]
    + [
        {
            "name": "surface-v0",
            "kind": "reward",
            "votes": 12,
            "tie_share": 0.0,
            "first_side_share": None,
            "agreement_with_others": None,
            "measured": {"data": "PandaLM test set", "accuracy": figure(0.6812, 0.6431, 0.7174, 589)},
        }
    ],
    "pairs": {
        "total": 694,
        "read": 776,
        "invalid": 0,
        "duplicate": 24,
        "identical": 9,
        "contradictory": 2,
        "contaminated": 41,
        "low_level": 4,
    },
    "gap": {
        "mean": 0.8912,
        "interval": [0.8713, 0.9102],
        "n": 694,
        "state": "pass",
        "reason": "",
        "median": 1.0,
        "p10": 0.5,
        "share_below_threshold": 0.0187,
        "share_negative": 0.0,
        "kinds": {"votes": 682, "posterior": 12},
        "by_kind": {"votes": {"mean": 0.8921, "n": 682}, "posterior": {"mean": 0.41, "n": 12}},
        "coverage": 1.0,
        "histogram": {
            "edges": [round(-1 + 0.1 * step, 1) for step in range(21)],
            "counts": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 11, 14, 38, 22, 40, 61, 44, 30, 432],
        },
        "multi_vote": {"mean": 0.7614, "interval": [0.7302, 0.7911], "n": 316},
        "single_vote": 378,
    },
    "decontamination": {
        **figure(1.0, 0.9945, 1.0, 694),
        "state": "pass",
        "found": {"value": 0.9445, "contaminated": 41, "n": 739},
        "benchmarks": [
            {
                "name": "gsm8k_test.jsonl.gz",
                "items": 1319,
                "short_items": 3,
                "fields": ["question"],
                "sha256": "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
                "pairs_hit": 29,
                "items_hit": 3,
            },
            {
                "name": "HumanEval.jsonl.gz",
                "items": 164,
                "short_items": 0,
                "fields": ["prompt", "canonical_solution"],
                "sha256": "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
                "pairs_hit": 12,
                "items_hit": 1,
            },
        ],
        "hits": [
            {
                "pair_id": "pair_7c41aa09be12cd54e9f00b31",
                "pairs": 12,
                "benchmark": "gsm8k_test.jsonl.gz",
                "item": 417,
                "field": "prompt",
                "method": "ngram",
                "score": 0.913,
                "span": "a tank is filled by two pipes in 6 and 12 minutes how long does it take if both are open",
            },
            {
                "pair_id": "pair_11b0ce72d06f4431c98a0e57",
                "pairs": 1,
                "benchmark": "HumanEval.jsonl.gz",
                "item": 12,
                "field": "chosen",
                "method": "exact",
                "score": 1.0,
                "span": 'def longest(strings: list[str]) -> str:\n    if not strings:\n        return ""',
            },
        ],
    },
    "quality_matrix": {
        "levels": {"excellent": 208, "good": 71, "marginal": 37, "poor": 0, "not_evaluated": 378},
        "cells": [
            {"gap_level": "excellent", "agreement_level": "excellent", "count": 208},
            {"gap_level": "excellent", "agreement_level": "good", "count": 66},
            {"gap_level": "good", "agreement_level": "good", "count": 5},
            {"gap_level": "good", "agreement_level": "marginal", "count": 24},
            {"gap_level": "marginal", "agreement_level": "marginal", "count": 13},
            {"gap_level": "excellent", "agreement_level": "not_evaluated", "count": 378},
        ],
    },
    "quality_score": {
        **figure(None, n=694, reason="The accuracy of the labels is not known."),
        "factors": {"validity": 1.0, "uniqueness": 0.9663, "decontamination": 1.0, "label_signal": None},
        "upper_bound": 0.9663,
    },
    "label_accuracy": figure(None, n=0, reason="No audit, no gold items and no overlapping annotators' model."),
    "effective_pairs": figure(None, n=694, reason="Needs the accuracy of the labels."),
    "kl_divergence": figure(None, n=0, reason="Candidates were imported; nothing says how they were sampled."),
    "lengths": {
        "chosen": {
            "edges": [0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750, 3000],
            "counts": [40, 52, 77, 98, 121, 116, 82, 51, 30, 15, 8, 4],
        },
        "rejected": {
            "edges": [0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750, 3000],
            "counts": [121, 118, 109, 97, 84, 70, 44, 27, 14, 6, 3, 1],
        },
        "chosen_longer": figure(0.6744, 0.6387, 0.7082, 694),
        "auc": 0.6689,
    },
    "diversity": {
        "categories": {
            "writing": 103,
            "roleplay": 96,
            "extraction": 92,
            "stem": 91,
            "reasoning": 88,
            "humanities": 84,
            "coding": 80,
            "math": 60,
        },
        "difficulty": {"medium": 388, "hard": 201, "easy": 105},
        "entropy": figure(0.8612, 0.84, 0.88, 1274),
        "distinct_prompts": 151,
    },
    "split": {
        "parts": {
            "validation": {"pairs": 139, "prompts": 30, "share": 0.2003},
            "train": {"pairs": 555, "prompts": 121, "share": 0.7997},
        },
        "target": {"train": 0.8, "validation": 0.2},
        "strata": [
            {
                "stratum": "coding",
                "parts": {"train": 0.1153, "validation": 0.1151},
                "part": "train",
                "deviation": 0.0001,
            },
            {
                "stratum": "extraction",
                "parts": {"train": 0.1333, "validation": 0.1295},
                "part": "train",
                "deviation": 0.0031,
            },
            {
                "stratum": "humanities",
                "parts": {"train": 0.1225, "validation": 0.1151},
                "part": "train",
                "deviation": 0.0060,
            },
            {
                "stratum": "math",
                "parts": {"train": 0.0847, "validation": 0.0935},
                "part": "train",
                "deviation": -0.0071,
            },
            {
                "stratum": "writing",
                "parts": {"train": 0.1441, "validation": 0.1655},
                "part": "train",
                "deviation": -0.0172,
            },
        ],
        "max_deviation": 0.0172,
        "groups": 148,
        "largest_group_share": 0.0231,
        "warnings": [],
        "leaks": 0,
        "quarantined": {"prompts": 4, "near": {}},
        "state": "pass",
    },
    "format": {"rows": 694, "valid": 694, "errors": []},
    "generation": {
        "models": [
            {
                "name": "SmolLM2-135M-Instruct",
                "candidates": 240,
                "failed": 2,
                "tokens": 31204,
                "finish_reasons": {"stop": 201, "length": 37, "error": 2},
                "origin": "edited",
            }
        ],
        "origins": [
            {
                "name": "edited",
                "augmented": True,
                "candidates": 240,
                "failed": 2,
                "kept_pairs": figure(0.31, 0.28, 0.34, 694),
                "label_accuracy": figure(0.88, 0.77, 0.94, 60),
            },
            {
                "name": "imported",
                "augmented": False,
                "candidates": 1388,
                "failed": 0,
                "kept_pairs": figure(1.0, 0.99, 1.0, 694),
                "label_accuracy": figure(None, n=0, reason="Nobody voted on these."),
            },
        ],
        "as_intended": {
            "edited": figure(0.74, 0.68, 0.80, 215),
            "strong_weak": figure(None, n=0, reason="no strong response met a weak or corrupted one"),
            "contrast": figure(None, n=0, reason="no response that follows the guideline met one that violates it"),
        },
        "augmentation": {
            "candidates": figure(0.147, 0.13, 0.17, 1628),
            "kept_pairs": figure(0.31, 0.28, 0.34, 694),
            "artefact_probe": {
                "all": figure(0.64, 0.61, 0.67, 500),
                "augmented": figure(0.79, 0.74, 0.84, 215),
                "sampled": figure(0.58, 0.55, 0.61, 479),
            },
            "label_accuracy": {
                "augmented": figure(0.88, 0.77, 0.94, 60),
                "sampled": figure(None, n=0, reason="Nobody voted on these."),
            },
            "warnings": ["the augmentation leaves a trace"],
        },
    },
    "judges": [
        {
            "name": "judge:coin",
            "guideline": "v1-00",
            "votes": 120,
            "withheld": 120,
            "swap_consistency": figure(0.31, 0.24, 0.4, 120),
            "canaries_withstood": figure(0.75, 0.47, 0.91, 12) | {"fooled_by": {"empty": 3}},
            "retest_flip_rate": figure(0.2, 0.06, 0.51, 10),
            "state": "fail",
            "reasons": ["kept its verdict on only 31% of 120 comparisons when the responses were exchanged"],
        }
    ],
    "warnings": {"long_answer": 3, "near_identical": 6},
    "samples": {"random": _SAMPLES, "smallest_gap": _SMALLEST},
    "inputs": [
        {
            "name": "human_judgments_hf_schema.jsonl.gz",
            "sha256": "f2a9c1e07bd84e35a61d40ce7790cbb1e52f8a3344196d0b7ac29fe815ad36f7",
            "rows": 1942,
            "good": 1942,
            "rejected": 0,
        }
    ],
    "licences": {"CC-BY-4.0": 694},
}
