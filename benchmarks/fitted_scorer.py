"""How many pairs a fitted scorer scores on one core, by its features, without hidden states.

    python benchmarks/fitted_scorer.py [--prompts 100]

Prints CPU seconds, so that a busy machine does not matter. Prompts have 4 responses, and so 6 pairs, as `generate`
and `annotate` make by default; "two responses" is the worst case, where every pair is of two new texts. Responses
have 40 to 400 characters.
"""

import argparse
import random
import time

from pairsmith.models.features import FeatureReader, Item
from pairsmith.records import Candidate, Message, Prompt

WORDS = ("the", "a", "of", "to", "in", "is", "that", "it", "was", "for", "on", "are", "with", "as", "his", "they", "be")


def items(prompts: int, responses: int, seed: int) -> list[Item]:
    """Prompts with so many responses each."""
    luck = random.Random(seed)
    found = []
    for number in range(prompts):
        prompt = Prompt.of([Message("user", f"Question {number}: what about {' '.join(luck.choices(WORDS, k=12))}?")])
        for _ in range(responses):
            text = " ".join(luck.choices(WORDS, k=luck.randint(12, 120)))
            found.append((prompt, Candidate.imported(prompt.id, text)))
    return found


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--prompts", type=int, default=100)
    prompts = arguments.parse_args().prompts
    for blocks in (("surface", "manner"), ("surface", "manner", "minilm")):
        with FeatureReader(blocks) as reader:
            reader.read(items(1, 2, seed=9))  # models are loaded here
            for responses, pairs in ((4, 6), (2, 1)):
                some = items(prompts, responses, seed=1)
                start = time.process_time()
                reader.read(some)
                took = time.process_time() - start
                texts, scored = len(some) / took, prompts * pairs / took
                print(
                    f"{','.join(blocks)}, {responses} responses: {texts:,.0f} texts/s, {scored:,.0f} pairs/s per core"
                )


if __name__ == "__main__":
    main()
