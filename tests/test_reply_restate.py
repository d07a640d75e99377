"""What a question gives of its answer's beginning: English as people say it, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.reply.restate import opening

BEGINS = {
    "what is the capital of france": "The capital of france is",
    "what's a good name for a dog": "A good name for a dog is",
    "who was albert einstein": "Albert einstein was",
    "who wrote hamlet": "Hamlet was written by",
    "who directed jaws": "Jaws was directed by",
    "why is the sky blue": "The sky is blue because",
    "why is the moon so big": "The moon is so big because",
    "why do cats purr": "Cats purr because",
    "why does ice float": "Ice floats because",
    "how do plants make their food": "Plants make their food by",
    "how does a car work": "A car works by",
    "how does the baby cry": "The baby cries by",
    "how does wood petrify": "Wood petrifies by",
    "how does the polar bear survive": "The polar bear survives by",
    "where does the time go": "The time goes",
    "how do i boil an egg": "To boil an egg,",
    "how far away is the moon": "The moon is",
    "how far is the moon from the earth": "The moon is",
    "how many legs does a spider have": "A spider has",
    "how many continents are there": "There are",
    "how many days are in a year": "A year has",
    "how many bones do people have": "People have",
    "how many people were there": "There were",
    "where do penguins live": "Penguins live",
    "where does the moon rise": "The moon rises",
    "when was the telephone invented": "The telephone was invented",
    "where was the treasure": "The treasure was",
    "when's the party": "The party is",
    "when did the war end": "The war ended",
    "when did elvis die": "Elvis died",
    "who built rome": "Rome was built by",
    "why are cats and dogs enemies": "Cats and dogs are enemies because",
    "what does photosynthesis mean": "Photosynthesis means",
    "what color is the sky": "The sky is",
    "tell me something about the moon": "The moon is",
    "tell me a bit about the moon": "The moon is",
    "tell me about the beatles": "The beatles",
    "explain the big bang": "The big bang",
    "tell me about paris": "Paris",
    "explain gravity to a child": "Gravity",
    "tell me about old paris": "Old paris",
    "tell me about the police": "The police",
    "what is gravity": "Gravity is",
    "what is a gold ring": "A gold ring is",
    "what is the name of the king of old spain": "The name of the king of old spain is",
    "why are cats very quick": "Cats are very quick because",
    "where was einstein born": "Einstein was born",
    "where was the old house": "The old house was",
    "how does a bus pass": "A bus passes by",
    "how does the foam wash": "The foam washes by",
    "how does the book teach": "The book teaches by",
    "how does the glue fix": "The glue fixes by",
}
GIVE_NOTHING = (
    "",
    "tell me a joke",
    "tell me about it",
    "i had a bad day",
    "what is your name",
    "who are you",
    "where are my keys",
    "what is it",
    "what's up",
    "what is happening",
    "what is cheese made of",
    "what's the weather like tomorrow",
    "what is two plus two",
    "why is it cold",
    "why is the light on",
    "why do penguins",
    "why does the sun",
    "why is the sky blue and the sea green",
    "how does the heart pump blood",
    "how does a camera take pictures",
    "when did you start",
    "when did the dog bark",
    "who built the pyramids",
    "who made it",
    "why do we dream",
    "what do you do",
    "what should i cook",
    "how are you",
    "how do i fix my car",
    "how can you help me",
    "how do you feel today",
    "who is coming",
    "where does he live",
    "what are people laughing at",
    "why does the cat that my aunt has sleep",
    "what is their name",
    "what is the",
    "tell me a story about a dragon",
    "what is the name of the king of old northern spain",
    "why is the cat's tail long",
    "why was the sky blue and the sea green",
    "how does the moon do",
    "why do cats do",
    "how many days are in it",
    "what does it mean",
)


@pytest.mark.parametrize("question", BEGINS)
def test_an_answer_begins_in_the_words_of_the_question(question):
    assert opening(question) == BEGINS[question]


@pytest.mark.parametrize("question", GIVE_NOTHING)
def test_what_would_have_to_be_turned_round_or_is_unclear_gives_nothing(question):
    assert opening(question) == ""


WORDS = st.sampled_from(
    "what who why how when where is are was do does did many much the a an of in moon sky i you my it they two because "
    "wrote invented there far old 's tell me about explain to mean live have so blue".split()
)


@given(st.lists(WORDS, max_size=9).map(" ".join))
def test_it_begins_a_sentence_and_is_never_long(question):
    words = opening(question)
    assert len(words.split()) <= 9
    assert words == words.strip() and "  " not in words
    assert words == "" or words[0].isupper()


@given(st.text(max_size=40))
def test_any_text_is_fine(text):
    opening(text)
