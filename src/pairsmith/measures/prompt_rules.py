"""The patterns behind `prompts.classify_prompt`, in the order in which they are tried; every repetition is bounded."""

import re

__all__ = [
    "CATEGORY_RULES",
    "CODE",
    "CONSTRAINT",
    "DEICTIC",
    "MASHED",
    "MISSING_ANYWAY",
    "MULTI_STEP",
    "POINTS_TO_MATERIAL",
    "STRUCTURED",
    "TABLE_OR_DATA",
    "WORD",
]

CODE = re.compile(
    r"```|^\s{0,8}(?:def |class \w+[:(]|import \w|from \w+ import|#include|public (?:class|static)|function \w+\("
    r"|SELECT .{1,80} FROM )",
    re.MULTILINE,
)
_LANGUAGES = (
    r"(?:python|java|javascript|typescript|c\+\+|c#|rust|golang|ruby|php|swift|kotlin|sql|html|css|bash|powershell"
    r"|matlab|perl"
    r"|scala|haskell|latex|regex|react|django|flask|excel|vba)"
)
# In this order; the first rule that matches the instruction decides.
CATEGORY_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (category, re.compile(pattern, re.IGNORECASE))
    for category, pattern in (
        (
            "roleplay",
            r"\b(?:pretend (?:to be|you|that you)|(?:act|acting|behave|speak|respond|answer) (?:as|like) (?:an?|the"
            r"|if|my)\b|role-?play"
            r"|(?:assume|take on|play|embrace|adopt) the (?:role|persona|character)|(?:you are now"
            r"|now you are) (?:an?|the)\b"
            r"|^\W{0,3}you are (?:an?|the) \w+|imagine (?:that )?you(?:rself)? (?:are (?:an?|the|my)|as)|(?:persona"
            r"|role|perspective|voice) of"
            r"|suppose you are|picture yourself as|in character\b|as if you were)",
        ),
        (
            "coding",
            rf"\b(?:code|coding|program|programming|script|function|algorithm|compiler?|debug|bug|unit tests?|api"
            rf"|leetcode|database|json"
            rf"|yaml|regular expression|pull request|git(?:hub)?|linked list|binary tree|query|queries|command line"
            rf"|shell|docker"
            rf"|{_LANGUAGES})\b(?=.{{0,400}}\b(?:write|implement|create|fix|debug|convert|complete|complexity|code"
            rf"|develop|design|run|output"
            rf"|replace|suggest|error|use|how|what|generate|add|parse|given|solve|identify|explain|read|program"
            rf"|solution)\b)"
            rf"|\b(?:write|implement|create|fix|debug|convert|complete|develop|design|generate|build|make"
            rf"|parse)\b.{{0,80}}\b(?:code|program"
            rf"|script|function|algorithm|regular expression|sql|bash command|class|website|app|api|query"
            rf"|{_LANGUAGES})\b",
        ),
        (
            "math",
            r"\b(?:solve|calculate|compute|evaluate|simplify|integrate|differentiate|factor)\b.{0,120}(?:\d"
            r"|equation|integral|problem|sum)"
            r"|\bhow (?:many|much)\b.{0,300}\d|\d.{0,300}\bhow (?:many|much|far|long|old)\b|\b(?:probability"
            r"|percent|equation|integer"
            r"|remainder|divisible|triangle|perimeter|area of|prime numbers?|perfect numbers?|derivative|polynomial"
            r"|theorem|math(?:s|ematics)?"
            r" (?:problem|question|word))\b|\d\s?[+*/^=×÷]\s?\d|\b\d*[xyz]\s?[+*/^=-]\s?\d"
            r"|\bconvert(?:ing)?\b.{0,40}\d|\d\s?=\s?_",
        ),
        (
            "classification",
            r"\b(?:classif(?:y|ies|ication)|categori[sz]e|label (?:the|each|this)|(?:detect|determine|decide"
            r"|identify|predict|tell(?: me)?|check|judge)"
            r" (?:if|whether|the (?:sentiment|intent|topic|category|language|genre))|sentiment|which (?:category"
            r"|class|genre)|(?:is|are) it (?:spam"
            r"|toxic|offensive)|true or false|yes or no|output (?:true|yes|1)|spam or not|select the"
            r"|multiple choice|choose a (?:topic|category)"
            r"|what genres?|fact[- ]check|verify (?:if|whether|the)|categori(?:es|zation))\b",
        ),
        (
            "extraction",
            r"\bidentify\b.{0,120}\b(?:in|from) the (?:following|given|sentence|text|passage)"
            r"|\bcount how many times\b"
            r"|\b(?:extract|list all the|find all|identify all|retrieve|pull out|pick out|parse (?:the|out|this)"
            r"|(?:find|identify|name) the (?:main"
            r"|key|named|people|places?|dates?|toxic|misspelling|word|entities)|what are the (?:names|dates)"
            r"|link all|named entit(?:y|ies)|pos tags?"
            r"|(?:based on|according to|from) the (?:given |following |above |provided )?(?:text|passage|article"
            r"|paragraph|table|document|information))\b",
        ),
        (
            "rewriting",
            r"\b(?:re-?write|rephrase|paraphrase|edit|proofread|correct (?:the|this|any|all|grammar)|improve (?:the"
            r"|this|my)|translat\w+|summari[sz]\w+"
            r"|shorten|simplify|convert (?:the|this|it|each|natural)|change the|make (?:it|this|the \w+) (?:more"
            r"|less|sound)|expand the|replace|paraphrase"
            r"|turn (?:the|this) .{1,40} into|reformat|tl;?dr|grammatical|fill in|condense|in your own words"
            r"|transform)\b",
        ),
        (
            "reasoning",
            r"\b(?:why (?:does|do|is|are|did|can|would|should)|explain (?:why|how|the (?:reason|difference"
            r"|relation))|reason(?:ing)?|logic(?:al|ally)?"
            r"|deduce|infer|puzzle|riddle|syllogism|compare|contrast|pros and cons|argue|analog(?:y|ies)"
            r"|what (?:would|will|could) happen"
            r"|step by step|analy[sz]e|evaluate|which (?:one )?is (?:better|heavier|taller|larger|faster)"
            r"|if .{3,120}, (?:who|what|where|how|is|does|are|can)"
            r"|relation between|sort the|rank (?:the|these)|read the .{1,40} and answer|if you (?:are|were|have"
            r"|overtake)|cause[sd]? of|trade-?offs?)\b",
        ),
        (
            "writing",
            r"\b(?:write|compose|draft|create|generate|craft|come up with|brainstorm|invent|make up|design|suggest"
            r"|think of|imagine|tell me a|give me a"
            r"|prepare|provide|produce|help me|add things|curate|react|respond to|develop|make an?|plan"
            r"|complete the|help me write|continue the|describe|outline)\b(?!.{0,20}\bmeaning\b)",
        ),
        (
            "qa",
            r"^\W{0,3}(?:(?:can|could) you (?:tell|explain|give|show)|what|who|whom|whose|when|where|which|how|is"
            r"|are|was|were|do|does|did|can|could"
            r"|should|will|would|has|have|why|name|define|explain|tell me|list|give|give me|recommend|answer|choose"
            r"|look for|find out|consider|indicate|return)\b|\?",
        ),
    )
)

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)?")
STRUCTURED = re.compile(r"^\s{0,8}(?:[-*•]|\d{1,2}[.)]|\|)\s?\S", re.MULTILINE)
TABLE_OR_DATA = re.compile(r"\|.{0,80}\||^\s{0,4}[\[{].{0,2000}[\]}]\s{0,4}$", re.MULTILINE)
CONSTRAINT = re.compile(
    r"\b(?:must|should|at least|at most|no more than|no fewer than|exactly|without|avoid|do not|don['’]t|only"
    r"|include|including|ensure"
    r"|make sure|in the style of|format|words?|sentences?|paragraphs?|bullet points?|table|json)\b",
    re.IGNORECASE,
)
MULTI_STEP = re.compile(
    r"\b(?:step by step|steps|then|first|second|finally|after that|prove|proof|derive|optimi[sz]e|implement|design"
    r"|compare|contrast|analy[sz]e"
    r"|evaluate|trade-?offs?|justify|in detail|detailed|comprehensive|complexity|show your)\b",
    re.IGNORECASE,
)
DEICTIC = re.compile(
    r"\W*(?:(?:please|can you|could you|now|ok|and|but|just)\s+){0,3}(?:do|fix|explain|continue|repeat|rewrite"
    r"|finish|improve|change|summari[sz]e|translate"
    r"|expand|go on|more|again|help|what about|how about|try)(?:\s+(?:it|this|that|these|those|them|me|again|more"
    r"|one|with|please|on)){0,3}\W*",
    re.IGNORECASE,
)
MASHED = re.compile(r"[bcdfghjklmnpqrstvwxz]{8}", re.IGNORECASE)
_MATERIAL = (
    r"(?:text|passage|article|paragraph|document|sentence|e-?mail|code|story|essay|review|dialogue|poem|letter"
    r"|abstract)"
)
MISSING_ANYWAY = re.compile(
    r"\b(?:(?:the|this|my|an?) (?:attached|uploaded)|(?:see|in) the attachment|(?:the|this|my) (?:image|picture"
    r"|photo|screenshot|video|audio|chart)"
    r" (?:above|below|attached|shows?)|in (?:the|this) (?:image|picture|photo|screenshot|video)|my (?:previous|last"
    r"|earlier) (?:question|message"
    r"|prompt)|as (?:i|we) (?:said|discussed|mentioned) (?:before|earlier|above)|your (?:previous|last"
    r"|earlier) (?:answer|response|message))\b",
    re.IGNORECASE,
)
POINTS_TO_MATERIAL = re.compile(
    rf"\b(?:the|this|these|that)\s+(?:following|given|provided|above|below)\s+\w+|\b{_MATERIAL}s?\s+(?:below|above)\b"
    rf"|\b(?:summari[sz]e|translate|proofread|rewrite|paraphrase|correct|edit|shorten)\s+(?:this"
    rf"|the)\s+(?:\w+\s+)?{_MATERIAL}\b",
    re.IGNORECASE,
)
