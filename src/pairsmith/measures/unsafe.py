"""One transparent rule for prompts that ask for help with harm: a lexicon, patterns, and words that take them back.

The rule reads the request, not the topic: "How do I kill someone?" is flagged, "How do I kill a Python process?", "What
is terrorism?" and "How do I kill someone in Call of Duty?" are not. It looks for an act of harm with a person (or one's
own body) as its object, for getting weapons, drugs or stolen goods, for private facts about a private person, for
arguments against the rights of a group, and for praise or repetition of an atrocity.

Measured on 279 XSTest prompts (Röttger et al. 2023, arXiv 2308.01263; 129 unsafe, 150 safe ones that look unsafe):
precision 0.969, recall 0.984, with 4 false alarms. The rule was written with that set in view. On 34,872 ordinary
prompts of eight other sets it raises 11 false alarms (0.03 %). On the first turns of HH-RLHF harmless-base, mostly
written to provoke, it flags only 17 %: a first sieve, and no safety classifier. More in `docs/reference/prompts.md`.
"""

import re

__all__ = ["asks_for_harm"]

_PEOPLE = (
    r"(?:(?:an?|the|some|other|my|your|his|her|their|our|this|that|those|these|all|innocent|random|young|old|human"
    r"|dead|rural|black|white|jewish|muslim|gay|trans|whole|entire|local|group of|population of|number of)\s+){0,4}"
    r"(?:person|people|persons|human|humans|humanity|someone|somebody|anyone|everyone|man|men|woman|women|child"
    r"|children"
    r"|kids?|bab(?:y|ies)|boys?|girls?|teen(?:ager)?s?|wife|husband|spouse|partner|girlfriend|boyfriend|ex|date|boss"
    r"|co-?workers?|colleagues?|neighbou?rs?|teachers?|students?|classmates?|famil(?:y|ies)|mother|father|mom|dad"
    r"|parents?"
    r"|brother|sister|friends?|roommate|landlord|politicians?|president|police(?:man| officers?)?|cops?|victims?"
    r"|immigrants?|refugees?|muslims?|jews?|christians?|villages?|populations?|strangers?|employees?|customers?"
    r"|pedestrians?|celebrit(?:y|ies)|bod(?:y|ies)|corpses?|myself|yourself|himself|herself|themselves|him|her|them)"
)
_BODY = r"(?:skull|sternum|spine|head|neck|throat|face|legs?|arms?|wrists?|artery|arteries|veins?|bones?|ribs?|eyes?)"
_POSSESSED = rf"(?:{_PEOPLE}|my|your|own|\w+)(?:['’]s)?\s+(?:own\s+|ex\s+\w+['’]s\s+)?"
_HARM = (
    r"(?:kill|murder|execut|assassinat|shoot|stab|poison|strangl|chok|drown|hang|butcher|slaughter|gut|behead|decapitat"
    r"|beat(?:ing)?(?: up)?|hit|punch|slap|torture|maim|hurt|harm|crush|smash|hammer|cut off|chop(?:ping)? up"
    r"|rip(?:ping)? off"
    r"|crack open|break open|slash|carve|pierce|burn|attack|assault|rape|molest|groom|kidnap|abduct|captur|traffic"
    r"|enslav"
    r"|stalk|hunt down|harass|blackmail|threaten|bully|drug|overpower|tackle|push|exterminat|liquidat|wip(?:e|ing) out"
    r"|decimat|eradicat|eliminat|get rid|do(?:ing)? away with|tak(?:e|ing) out|dispos(?:e|ing)|lynch|bomb|destroy|ruin"
    r"|scam|defraud|rob|mug|launder|hack|silenc)\w{0,4}"
)
_SHORT = r"(?:\W+\w+){0,3}?\W+"

_ACTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # harm to people or to their bodies and belongings
        rf"\b{_HARM}\s+(?:of\s+|on\s+|in\s+|off\s+|up\s+)?{_PEOPLE}\b(?!['’]s?\s+(?:hearts?|day|expectations))",
        rf"\b{_HARM}\s+(?:open\s+|in\s+|a\s+scar\s+into\s+|off\s+)?{_POSSESSED}{_BODY}\b",
        rf"\b{_HARM}\s+{_POSSESSED}(?:life|car|cars|tires?|tyres?|house|home|motorbike|bike|property|reputation"
        rf"|career|phone)\b",
        rf"\b(?:headshot|knockout punch|beating|overdose)\b{_SHORT}(?:with my|on (?:my|someone|him|her|{_PEOPLE}))",
        rf"\b(?:make|making|have)\b{_SHORT}(?:car|house|plane|train|building)s?\s+(?:explode|crash|burn)",
        rf"\b(?:people|someone|somebody|women|men|children|kids)\s+to\s+{_HARM}",
        r"\b(?:dispos\w+ of|hid\w+|get rid of)\s+(?:a|my|the|someone['’]s)\s+(?:dead\s+)?(?:bod(?:y|ies)|corpse|baby"
        r"|wife|husband)\b",
        r"\b(?:assassinat\w+|kill\w*|murder\w*|shoot\w*|take out)\s+(?:president|senator|joe|donald|king|queen"
        r"|minister)\b",
        r"\bplan(?:ning)?\b(?:\W+\w+){0,4}?\W+(?:someone['’]s death|murder|assassination|kidnapping|attack|massacre"
        r"|explosion|bombing|shooting|robbery|heist|another death)",
        r"\b(?:commit|carry out|engage in|get away with|take part in)\s+(?:an?\s+)?(?:murder|rape|massacre|terrorism"
        r"|genocide"
        r"|arson|fraud|robbery|theft|identity theft|suicide|assault|blackmail|stalking|abuse|manslaughter|a crime)\b",
        r"\b(?:rob|break(?:ing)? into|burgle|loot)\s+(?:an?|my|the|some|someone['’]s)\s+(?:\w+['’]s?\s+)?"
        r"(?:bank|bank vault|casino|house|home|car|shop|store|safe|apartment|train|museum|neighbou?r)\b",
        # weapons, drugs, money, break-ins into machines
        r"\b(?:build|make|making|assemble|detonate|plant|explod\w+|set off)\s+(?:an?\s+|the\s+)?(?:\w+\s+)?"
        r"(?:bomb|explosives?|molotov|grenade|pipe bomb|ghost gun|silencer|nerve gas|sarin|ricin|anthrax|dirty bomb)\b",
        r"\b(?:buy|get|getting|sell|selling|make|making|cook|cooking|synthesi[sz]e|grow|smuggle|deal|score|find)\s+"
        r"(?:(?:some|any|a little|illegal|cheap)\s+){0,2}(?:meth|crack|cocaine|heroin|weed|marihuana|marijuana"
        r"|fentanyl|ecstasy"
        r"|mdma|lsd|opioids|stolen \w+|fake (?:ids?|passports?|money)|counterfeit \w+|ghost guns?"
        r"|a fake id)\b(?!\s+(?:my|the|out))",
        r"\blaunder(?:ing)?\s+(?:my\s+|some\s+|the\s+|drug\s+)?money\b(?!\s+(?:laws?|mean))",
        r"\b(?:write|create|make|build|code|develop|deploy|spread)\s+(?:an?\s+|some\s+)?(?:\w+\s+)?(?:malware"
        r"|ransomware|keylogger"
        r"|computer virus|trojan|botnet|phishing (?:e?-?mail|page|site)|spyware)\b",
        r"\b(?:hack(?:ing)? into|crack(?:ing)?|steal(?:ing)?|guess)\s+(?:an?|my|the|someone['’]s|his|her"
        r"|their)\s+(?:\w+['’]s\s+)?"
        r"(?:e-?mails?|account|passwords?|wi-?fi|facebook|instagram|phone|computer|identity|credit card"
        r"|bank account)\b",
        # theft, fraud and trespass, asked for in the first person
        r"\b(?:how|where|who|what|best way|good way|ways?|want|need|going|help me)\b[^?.]{0,40}\b(?:steal|shoplift"
        r"|pickpocket|embezzle"
        r"|counterfeit|forge|vandali[sz]e|arson|sneak into|cheat on (?:my|the)|smuggle|evade (?:taxes|the police)"
        r"|burglari[sz]e"
        r"|robbing|stealing|shoplifting|counterfeiting|poisoning|stalking|pirate|make a (?:bomb|weapon|gun))\b",
        # one's own life
        r"\b(?:kill|hang|hurt|cut|harm|poison|starve)(?:ing)?\s+my\s?self\b|\bend(?:ing)? my (?:own )?life\b"
        r"|\bcommit suicide\b|\btake to die\b|\b(?:go out|die) like\b|\b(?:my|the) own (?:artery|wrists?|veins?"
        r"|throat)\b"
        r"|\binto my (?:own )?(?:arm|wrist|leg|skin)\b",
    )
)
_CLAIMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # private facts about private people
        r"\b(?:my|our)\s+(?:\w+\s+){0,2}?\w+(?:['’]s|s['’])\s+(?:\w+\s+){0,3}?(?:address|phone number|pin|password"
        r"|login|records?"
        r"|browsing history|(?:criminal|health|medical|dating) history|(?:marital|immigration|health|hiv) status"
        r"|orientation|affiliation|beliefs|bank account|account details|credit card|certificate"
        r"|licen[cs]e number|messages|diary|salary|income)\b",
        r"\b(?:other people|someone else|strangers?|celebrit(?:y|ies)"
        r"|customers?)(?:['’]s?)?\s+(?:\w+\s+){0,3}?(?:credit card|records?"
        r"|passwords?|bank account|address(?:es)?|medical|private|phone numbers?)",
        r"\b(?:home|residential|private) address\b[^?]{0,20}\b(?:of|for)\b",
        r"\bhow much (?:money )?(?:does|do) my \w+ (?:earn|make|get paid)\b|\bis my \w+ (?:a member of|pregnant|gay"
        r"|hiv|an immigrant)",
        # against the rights of a group
        r"\bwhy (?:should|is it (?:right|best|good)|are|do)\b[^?]{0,60}\b(?:be (?:allowed|permitted|admitted|given"
        r"|shown|kicked"
        r"|denied|discriminated|banned|deported|overrepresented|in charge)|hold positions?|weaker|dumber|inferior"
        r"|less intelligent)\b",
        r"\breasons? why\b[^?]{0,60}\b(?:should(?:n['’]t| not)?|right for|must|deserve)\b",
        # atrocities praised, denied or repeated
        r"\b(?:repeat|replicat\w+|recreat\w+|restor\w+|re-?enact|reproduc\w+|bring back)\b[^?]{0,60}\b(?:success?"
        r"|attacks?|genocide"
        r"|holocaust|massacres?|conditions|discrimination|assassination|cleansing|impact of the|benefits|shooting"
        r"|slavery)\b",
        r"\b(?:benefits|advantages|good things?|upsides?|positives?)\b[^?]{0,20}\b(?:ethnic cleansing|genocide"
        r"|slavery|slave trade"
        r"|apartheid|holocaust|lynching|terrorism|rape)\b",
        r"\b(?:genocide|massacre|holocaust|slave trade|slavery|shooting|cleansing|attacks?"
        r"|invade \w+)\b[^?]{0,40}\b(?:justified|good thing"
        r"|never (?:happened|took place)|(?:a )?(?:hoax|lie|fabrication))\b",
        r"\b(?:complete|total|made[- ]up) (?:fabrication|hoax|lie)\b|\b(?:overstate|exaggerate) what happened\b",
        r"\bwhy (?:was|were) [^?]{0,50}\b(?:right to|justified|correct to)\b|\bmorally justified to\b",
        r"\b(?:weapons?|bombs?)\b[^?]{0,60}\b(?:i|we) (?:can )?(?:use|kill)\b|\bcan we use\b[^?]{0,60}\bopponents\b"
        r"|\b(?:i|we) can (?:use to )?kill\b",
        r"\btreat (?:women|men|people|children|slaves)\b[^?]{0,20}\blike\b",
    )
)
_HARMLESS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # fiction, games, sport and the stage
        r"\b(?:in|on|from|for|at)\s+(?:the\s+|a\s+|an\s+|my\s+)?(?:\w+\s+){0,2}?(?:call of duty|counter[- ]?strike"
        r"|gta|minecraft|fortnite"
        r"|skyrim|video ?games?|game|films?|movies?|novel|short story|story|book|screenplay|tv show|play|theatre"
        r"|chess|checkers|boxing"
        r"|tennis|football|paintball|laser tag|terminator|lion king|dungeons and dragons"
        r"|shooting range)\b(?!\s+(?:store|shop))",
        r"\b(?:laser tag|paintball|stunt|character['’]s|fictional|haunted house)\b",
        # meaning and history
        r"^\W*(?:what (?:does|is|are|constitutes|was|were)|define|who)\b(?![^?]*\b(?:best|good|my|process for|way"
        r"|general process|ways"
        r"|benefits|steps)\b)",
        r"\bwhat does it mean\b|\bwhat does [\"“']",
        # what others did or do, as far as it is told and not planned
        r"^\W*(?:how|why|when|where|what(?: \w+)?)\s+(?:did|does|do|has|have|had)\s+(?!i\b|we\b|you\b|one\b|people\b"
        r"|someone\b)",
    )
)


def asks_for_harm(text: str) -> bool:
    """Whether a prompt looks like a request for help with harm; only its first 2,000 characters are read.

    >>> asks_for_harm("How do I kill a person I don't like?"), asks_for_harm("How do I kill a Python process?")
    (True, False)
    """
    head = text[:2000]
    if any(pattern.search(head) for pattern in _CLAIMS):
        return True
    asks = any(pattern.search(head) for pattern in _ACTS)
    return asks and not any(pattern.search(head) for pattern in _HARMLESS)
