"""Make `src/pairsmith/demo/prompts.jsonl` from the two prompt files of Self-Instruct.

Usage: python scripts/make_demo_prompts.py FOLDER
FOLDER holds `self_instruct_seed_tasks.jsonl` and `self_instruct_user_oriented_instructions.jsonl`, which are
`data/seed_tasks.jsonl` and `human_eval/user_oriented_instructions.jsonl` of github.com/yizhongw/self-instruct at commit
0b26ccaa415992100fa32df62d41b994cf928e23 (Apache-2.0). Which tasks are taken, what is appended to them and how answers
are checked stands in `demo_prompts_selection.jsonl` beside this script. The same input makes the same bytes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pairsmith.measures.checks import validate_check

SOURCES = ("self_instruct_seed_tasks.jsonl", "self_instruct_user_oriented_instructions.jsonl")
SELECTION = Path(__file__).with_name("demo_prompts_selection.jsonl")
TARGET = Path(__file__).resolve().parents[1] / "src" / "pairsmith" / "demo" / "prompts.jsonl"
MAX_WORDS = 120


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def demo_prompt(task: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """One row of the demo: the task's instruction and input, word for word, then the constraint that was added."""
    parts = [task["instruction"].strip(), task["instances"][0]["input"].strip(), choice["constraint"]]
    prompt = "\n\n".join(part for part in parts if part)
    if len(prompt.split()) >= MAX_WORDS:
        raise ValueError(f"{task['id']}: {len(prompt.split())} words, the demo takes fewer than {MAX_WORDS}")
    for check in choice["checks"]:
        validate_check(check["kind"], check["args"])
    return {
        "id": "demo-" + task["id"].replace("_task_", "-").replace("_", "-"),
        "prompt": prompt,
        "category": choice["category"],
        "difficulty": choice["difficulty"],
        "checks": choice["checks"],
        "source": f"self-instruct {task['id']}",
        "licence": "Apache-2.0",
        "constraint_added": bool(choice["constraint"]),
    }


def main(folder: Path) -> None:
    """Write the demo prompts."""
    tasks = {task["id"]: task for name in SOURCES for task in read_rows(folder / name)}
    rows = [demo_prompt(tasks[choice["task"]], choice) for choice in read_rows(SELECTION)]
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    TARGET.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
