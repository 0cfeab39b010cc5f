"""Which language a text is in: known sentences, and answers of a strong model in four languages."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from pairsmith.measures.languages import LANGUAGES, language_shares

SENTENCES = {
    "ar": "السماء زرقاء بسبب تشتت الضوء في الهواء.",
    "bn": "আকাশ নীল।",
    "de": "Weil die Luft das blaue Licht stärker streut als das rote.",
    "el": "Ο ουρανός είναι μπλε.",
    "en": "Because the air scatters blue light more than red.",
    "es": "Porque el aire dispersa la luz azul más que la roja.",
    "fa": "آسمان آبی است، چون هوا نور آبی را پخش می‌کند.",
    "fr": "Parce que l'air diffuse la lumière bleue plus que la rouge.",
    "gu": "આકાશ વાદળી છે.",
    "he": "השמיים כחולים.",
    "hi": "आसमान नीला है।",
    "hy": "Երկինքը կապույտ է։",
    "id": "Karena udara menghamburkan cahaya biru lebih banyak dari yang merah.",
    "it": "Perché l'aria diffonde la luce blu più di quella rossa, ed è così anche la sera.",
    "ja": "空気が青い光を散らすからです。",
    "ka": "ცა ლურჯია.",
    "kn": "ಆಕಾಶ ನೀಲಿ.",
    "ko": "하늘은 파랗습니다.",
    "nl": "Omdat de lucht het blauwe licht meer verstrooit dan het rode.",
    "pa": "ਅਸਮਾਨ ਨੀਲਾ ਹੈ।",
    "pl": "Ponieważ powietrze rozprasza niebieskie światło i to jest przyczyna, że niebo się mieni.",
    "pt": "Porque o ar espalha a luz azul mais do que a vermelha, e isso não muda.",
    "ru": "Потому что воздух рассеивает синий свет.",
    "sv": "Det är för att luften sprider det blå ljuset mer än det röda.",
    "ta": "வானம் நீலம்.",
    "te": "ఆకాశం నీలం.",
    "th": "ท้องฟ้าเป็นสีฟ้า",
    "tr": "Çünkü hava mavi ışığı daha çok dağıtır ve bu nedenle gök mavi olarak görünür.",
    "uk": "Бо повітря розсіює синє світло.",
    "ur": "آسمان نیلا ہے کیونکہ ہوا نیلی روشنی کو بکھیرتی ہے، بڑا آسمان۔",
    "vi": "Vì không khí tán xạ ánh sáng xanh và đó là lý do của màu trời.",
    "zh": "因为空气散射蓝光。",
}


def test_every_language_has_its_sentence():
    assert set(SENTENCES) == set(LANGUAGES)


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_sentences(code):
    shares = language_shares(SENTENCES[code])
    assert next(iter(shares)) == code
    assert sum(shares.values()) <= 1 + 1e-9


def test_a_mixture_has_shares():
    shares = language_shares("天空是蓝色的。" * 3 + " The sky is blue.")
    assert shares["zh"] == pytest.approx(18 / 30)
    assert shares["en"] > 0.25


def test_code_does_not_count_beside_text_and_counts_alone():
    german = "Der Code ist das, was ich für euch geschrieben habe:"
    assert next(iter(language_shares(f"{german}\n```\nthe of and to in\n```"))) == "de"
    assert next(iter(language_shares('```json\n{"text": "the sky is blue and that is all"}\n```'))) == "en"


@pytest.mark.parametrize("text", ["", "42", "etchings", "```\n```"])
def test_nothing_to_go_by(text):
    assert language_shares(text) == {}


@pytest.mark.parametrize(("code", "at_least"), [("en", 0.96), ("es", 0.96), ("fr", 0.98), ("ja", 0.98)])
def test_answers_of_a_strong_model_in_four_languages(shared_data: Path, code: str, at_least: float):
    """GPT-4o on M-IFEval, prompts that ask for a language left out; the figures of docs/reference/checks.md."""
    path = shared_data / "candidates" / "m_ifeval" / code / "gpt-4o-2024-08-06.eval_results_strict.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    kept = [row for row in rows if not any("language" in name for name in row["instruction_id_list"])]
    seen = Counter(next(iter(language_shares(row["response"])), "none") for row in kept)
    assert len(kept) >= 60
    assert seen[code] / len(kept) >= at_least
