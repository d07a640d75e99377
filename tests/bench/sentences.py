"""Sentences people say to a machine, by the thousand, for learning where a sentence ends.

They come from three packages of Python's registry (PACKAGES), got by name by `tests.bench.fit` and only read, never run;
nothing of them is copied into this repository.

aiml                    the A.L.I.C.E. set: 65,000 things people typed to a chat bot, most of them questions (GNU GPL)
chatterbot-corpus       beginnings of small conversations, and quiz questions (BSD)
home-assistant-intents  templates of orders and questions about a home, filled in at random here (Apache-2.0)
"""

import json
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

PACKAGES = ("aiml==0.9.2", "chatterbot-corpus==1.3.3", "home-assistant-intents==2026.10.27")
SEED = 7
HOME_EACH = 4  # sentences made of one template
YES_NO_SHARE = 0.4  # of those: a third of the first set are "is ..." and "are ..."
_AIML = "aiml/botdata/alice/"
_NO_SENTENCES = ("reduction.names", "that.aiml")  # names alone; answers to the bot's own questions
_SHORT_FORMS = (
    (r"\b(what|who|where|when|how|that|it|there|he|she) is\b", r"\1's"),
    (r"\bi am\b", "i'm"),
    (r"\b(you|we|they) are\b", r"\1're"),
    (r"\b(do|does|did|is|are|was|would|could|should|have|has) not\b", r"\1n't"),
    (r"\b(i|you|we|they) will\b", r"\1'll"),
    (r"\bi would\b", "i'd"),
)
_SLOTS = {
    "area": "kitchen|living room|bedroom|bathroom|garage|office|hallway|garden|dining room|basement|kids room",
    "floor": "ground floor|first floor|second floor|basement|attic",
    "name": "lamp|desk lamp|ceiling light|fan|heater|front door|garage door|coffee machine|tv|speaker|radio|curtains"
    "|christmas tree|air conditioner|washing machine|night light|kettle|robot|sprinkler|thermostat",
    "timer_name": "pizza|pasta|laundry|egg|tea|workout|oven|nap|homework|cake",
    "timer_command": "turn off the lights|open the garage door|stop the music|start the fan|close the curtains",
    "search_query": "jazz|the beatles|some quiet music|bohemian rhapsody|the news|a podcast about history|my favorites"
    "|queen|songs from the nineties|dark side of the moon|taylor swift|classical music",
    "shopping_list_item": "milk|eggs|a dozen eggs|olive oil|toilet paper|two bottles of wine|bread|apples|cat food",
    "todo_list_item": "call the dentist|pay the rent|water the plants|buy a present for my sister|clean the car",
    "message": "dinner is ready|i will be home in ten minutes|time to go to bed|the package is here|come downstairs",
    "zone": "home|work|school|the gym",
    "person": "anna|peter|my brother|maria|john",
}
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()


def collect(folder: Path) -> list[str]:
    """All sentences of the three wheels in `folder`: lower case, no punctuation, each once, in a seeded random order."""
    rng = random.Random(SEED)
    found = [*_chat(_wheel(folder, "aiml"), rng), *_talk(_wheel(folder, "chatterbot_corpus"))]
    found += _home(_wheel(folder, "home_assistant_intents"), rng)
    sentences = sorted({said for text in found if (said := spoken(text))})
    rng.shuffle(sentences)
    return sentences


def _wheel(folder: Path, name: str) -> zipfile.ZipFile:
    files = sorted(folder.glob(f"{name}-*.whl"))
    if not files:
        raise SystemExit(f"{folder}: no wheel of {name} there; 'python -m tests.bench.fit' gets it.")
    return zipfile.ZipFile(files[-1])


def wheels(folder: Path) -> Iterator[Path]:
    """The pattern of each package's file in `folder`."""
    for package in PACKAGES:
        yield folder / f"{package.split('==')[0].replace('-', '_')}-{package.split('==')[1]}-*.whl"


def spoken(text: str) -> str:
    """As the recognizer writes it: lower case, numbers as words, no punctuation.  Empty when that can't be said so."""
    text = re.sub(r"\d+", lambda digits: in_words(int(digits[0])), text.lower().replace("’", "'"))
    text = " ".join(re.sub(r"[-.?!,;:\"]", " ", text).split())
    return text if re.fullmatch(r"[a-z][a-z' ]*", text) and len(text.split()) <= 20 else ""


def in_words(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f" {_ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{_ONES[number // 100]} hundred" + (f" {in_words(number % 100)}" if number % 100 else "")
    return "twenty " + in_words(number % 100)  # a year, near enough


def _chat(wheel: zipfile.ZipFile, rng: random.Random) -> Iterator[str]:
    """Patterns of the chat bot without a blank in them."""
    for name in sorted(wheel.namelist()):
        if not name.startswith(_AIML) or any(part in name for part in _NO_SENTENCES):
            continue
        text = wheel.read(name).decode("utf-8", "replace")
        for pattern in re.findall(r"<pattern>([A-Z' ]+)</pattern>", text):
            said = " ".join(pattern.lower().split())
            if said.split()[0] in ("is", "are", "do", "does", "can") and rng.random() > YES_NO_SHARE:
                continue
            if len(said.split()) == 1 and rng.random() > 0.2:
                continue
            for long, short in _SHORT_FORMS:
                if rng.random() < 0.6:
                    said = re.sub(long, short, said)
            yield said


def _talk(wheel: zipfile.ZipFile) -> Iterator[str]:
    for name in sorted(wheel.namelist()):
        if "/english/" in name and name.endswith(".yml"):
            for turns in yaml.safe_load(wheel.read(name))["conversations"]:
                first = turns[0] if isinstance(turns, list) else turns
                if isinstance(first, str):
                    yield first


def _home(wheel: zipfile.ZipFile, rng: random.Random) -> Iterator[str]:
    data = json.loads(wheel.read("home_assistant_intents/data/en.json"))
    for intent in data["intents"].values():
        for block in intent["data"]:
            rules = data["expansion_rules"] | block.get("expansion_rules", {})
            for template in block["sentences"]:
                for _ in range(HOME_EACH):
                    yield _fill(template, data["lists"], rules, rng)


def _fill(template: str, lists: dict, rules: dict, rng: random.Random) -> str:
    """One sentence of a template: [maybe] (either|or) <rule> {list}."""

    def inner(found: re.Match) -> str:
        kind, body = found[0][0], found[0][1:-1]
        if kind == "{":
            return _slot(body.split(":")[0], lists, rng)
        if kind == "<":
            return f"({rules[body]})" if body in rules else ""
        if kind == "[" and rng.random() < 0.5:
            return ""
        return rng.choice(body.split("|"))

    text = template
    for _ in range(60):
        text, count = re.subn(r"[\[(][^\[\](){}<>]*[\])]|\{[^{}]*\}|<[^<>]*>", inner, text, count=1)
        if not count:
            break
    return " ".join(text.split())


def _slot(name: str, lists: dict, rng: random.Random) -> str:
    if name in _SLOTS:
        return rng.choice(_SLOTS[name].split("|"))
    found = lists.get(name, {})
    if "values" in found:
        value = rng.choice(found["values"])
        return f"({value['in'] if isinstance(value, dict) else value})"
    if "range" in found:
        return in_words(rng.randint(max(0, found["range"]["from"]), found["range"]["to"]))
    return ""
