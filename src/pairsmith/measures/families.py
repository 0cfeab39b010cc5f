"""Which family a model belongs to, by its name: judges favour their own relatives, so a panel needs strangers."""

import re

__all__ = ["model_family"]

# In this order: a distilled or merged model is named after its teacher first ("DeepSeek-R1-Distill-Llama-8B").
_FAMILIES = (
    ("openai", r"gpt|chatgpt|o[134](?:-mini|-preview|-pro)?|davinci|text-davinci"),
    ("anthropic", r"claude"),
    ("google", r"gemini|gemma|palm|bard"),
    ("deepseek", r"deepseek"),
    ("qwen", r"qwen|qwq"),
    ("mistral", r"mistral|mixtral|ministral|codestral|magistral|zephyr"),
    ("cohere", r"command|aya"),
    ("llama", r"llama|vicuna|alpaca|tulu|hermes|prometheus"),
    ("phi", r"phi"),
    ("smollm", r"smollm"),
    ("glm", r"glm|chatglm"),
    ("yi", r"yi"),
    ("olmo", r"olmo"),
    ("falcon", r"falcon"),
    ("internlm", r"internlm"),
    ("granite", r"granite"),
    ("nemotron", r"nemotron"),
    ("grok", r"grok"),
    ("kimi", r"kimi|moonshot"),
    ("minimax", r"minimax|abab"),
)
_KNOWN = tuple((family, re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])")) for family, pattern in _FAMILIES)
_SIZE_OR_VERSION = re.compile(r"[-_ :@/.]?v?\d.*\Z")


def model_family(name: str) -> str:
    """The family of a model name as servers give it; for an unknown one its name without owner, size and version.

    >>> [model_family(name) for name in ("meta-llama/Llama-3.1-8B-Instruct", "gpt-4o-mini", "acme/Widget-7B")]
    ['llama', 'openai', 'widget']
    """
    lowered = name.strip().lower()
    own = lowered.rsplit("/", 1)[-1]
    for text in (own, lowered):
        for family, pattern in _KNOWN:
            if pattern.search(text):
                return family
    return _SIZE_OR_VERSION.sub("", own) or own
