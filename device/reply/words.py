"""Text as any recognizer writes it → plain lower-case words, so that one template fits all of them.

Vosk writes "what's twelve times eleven", Whisper "What's 12 × 11?": both become what, is, 12 or twelve, times, 11 or
eleven.
"""

import re

_CONTRACTIONS = {
    "what's": "what is", "whats": "what is", "who's": "who is", "whos": "who is", "where's": "where is",
    "when's": "when is", "how's": "how is", "that's": "that is", "thats": "that is", "it's": "it is",
    "there's": "there is", "here's": "here is", "let's": "let us", "i'm": "i am", "im": "i am", "you're": "you are",
    "i'd": "i would", "i'll": "i will", "i've": "i have", "don't": "do not", "dont": "do not", "can't": "can not",
    "cannot": "can not", "won't": "will not", "doesn't": "does not", "didn't": "did not", "isn't": "is not",
    "o'clock": "oclock", "ok": "okay", "gonna": "going to", "wanna": "want to", "gimme": "give me",
    "p.m": "pm", "a.m": "am", "mins": "minutes", "min": "minute", "secs": "seconds", "sec": "second", "hrs": "hours",
    "hr": "hour", "nevermind": "never mind", "dash": "minus", "goodbye": "good bye",
    "timer's": "timer is", "multiplied": "times",
}  # fmt: skip
# A bracket around a sum: no words have it, so it stays a word that makes the whole unclear, rather than be left out.
_BRACKET = r"\((?=[^()]*\d\s*(?:[-−–+*×÷/^x]|plus|minus|times|divided)\s*\d)"
_SIGNS = (
    (re.compile(r"[’‘`]"), "'"),
    (re.compile(_BRACKET), " bracket "),
    (re.compile(r"[×*]"), " times "),
    (re.compile(r"(?<=[\d½⅓⅔¼¾])\s*x\s*(?=\d|$)"), " times "),
    (re.compile(r"\+"), " plus "),
    (re.compile(r"[÷]|(?<=\d)\s*/\s*(?=\d)"), " divided by "),
    (re.compile(r"%"), " percent "),
    (re.compile(r"√"), " square root of "),
    (re.compile(r"²"), " squared "),
    (re.compile(r"³"), " cubed "),
    (re.compile(r"\^"), " to the power of "),
    (re.compile(r"(?<=\d)\s*(?=[½⅓⅔¼¾])"), " and "),
    (re.compile(r"½"), " a half "),
    (re.compile(r"⅓"), " a third "),
    (re.compile(r"⅔"), " two thirds "),
    (re.compile(r"¼"), " a quarter "),
    (re.compile(r"¾"), " three quarters "),
    (re.compile(r"°"), " degrees "),
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
    (re.compile(r"(?<![^\s(-])\.(?=\d)"), "0."),
    (re.compile(r"(?<=\d)\s*[-−–]\s*(?=\d)|\s[-−–]\s|−"), " minus "),
    (re.compile(r"(?:(?<=[\s(])|^)-(?=\d)"), " minus "),
)
# Small words that recognizers take for one another; a template's word is met by any of these as well.
HEARD_AS = {
    "is": frozenset(("as", "has", "his")),
    "are": frozenset(("or", "our")),
    "in": frozenset(("and", "an")),
    "turn": frozenset(("turned", "term")),
    "list": frozenset(("less", "lists", "lest")),
    "add": frozenset(("at", "had")),
    "bye": frozenset(("by", "buy")),
    "put": frozenset(("but",)),
}

_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+(?:['.][a-z]+)*")


def words(text: str) -> list[str]:
    """The words of `text`, lower case, without punctuation, contractions written out; digits stay digits."""
    line = text.lower()
    for pattern, plain in _SIGNS:
        line = pattern.sub(plain, line)
    found: list[str] = []
    for word in _WORD.findall(line):
        found.extend(_CONTRACTIONS.get(word, word).split())
    return found
