"""Where replies are cut: no word is lost or moved, whatever bits they arrive in."""

from hypothesis import given
from hypothesis import strategies as st

from device.speak.phrases import Phrases

WORDS = st.text(alphabet="abcTHE059.,;:!?—-'\"()$%° é", max_size=9) | st.sampled_from(
    ["the", "a", "and", "with", "Dr.", "e.g.", "p.m.", "Okay.", "Sure,", "1.", "\n", "\t", "…", "to", "of"]
)
BITS = st.lists(WORDS | WORDS.map(lambda word: word + " "), max_size=80)


def cut(bits: list[str], first_words: int = 8) -> list[str]:
    phrases = Phrases(first_words)
    return [phrase.text for bit, last in marked(bits) for phrase in phrases.add(bit, last)]


def marked(bits: list[str]) -> list[tuple[str, bool]]:
    """Each bit, and whether it is the last."""
    return [(bit, False) for bit in bits[:-1]] + [(bits[-1] if bits else "", True)]


@given(BITS, st.integers(1, 40))
def test_no_word_is_lost_changed_or_moved(bits, first_words):
    assert " ".join(cut(bits, first_words)).split() == "".join(bits).split()


@given(BITS, st.integers(1, 40))
def test_the_first_phrase_is_short_and_all_are_bounded(bits, first_words):
    phrases = cut(bits, first_words)
    assert all(phrases)
    assert all(len(phrase.split()) <= 24 for phrase in phrases[1:])
    if phrases:
        assert len(phrases[0].split()) <= first_words


@given(BITS)
def test_it_can_be_used_again_after_the_end(bits):
    phrases = Phrases(8)
    once = [phrase for bit, last in marked(bits) for phrase in phrases.add(bit, last)]
    again = [phrase for bit, last in marked(bits) for phrase in phrases.add(bit, last)]
    assert once == again


def test_a_sentence_that_comes_at_once_is_one_phrase():
    assert cut(["It's five past four PM. Anything else?"]) == ["It's five past four PM.", "Anything else?"]
    assert cut(["Okay, a timer for ten minutes."]) == ["Okay, a timer for ten minutes."]


def streamed(text: str) -> list[str]:
    return cut([" " + word for word in text.split()])


def test_the_first_phrase_ends_at_a_clause_when_there_is_one():
    assert streamed("Sure, the capital of France is Paris.")[0] == "Sure,"


def test_the_first_phrase_ends_in_a_place_where_a_speaker_could_breathe():
    assert (
        streamed("The tallest mountain on earth is called Mount Everest by most people.")[0] == "The tallest mountain"
    )
    assert streamed("Penguins eat fish the whole day long the whole year round every year.")[0] == (
        "Penguins eat fish the whole day long"
    )


def test_dots_that_end_no_sentence():
    assert cut(["Ask Dr. Smith at 5 p.m. about the J. R. R. Tolkien book. Bye."], 20) == [
        "Ask Dr. Smith at 5 p.m. about the J. R. R. Tolkien book.",
        "Bye.",
    ]
    assert cut(["It opens at 9 a.m. Tickets are free."], 20) == ["It opens at 9 a.m.", "Tickets are free."]


def test_a_sentence_is_said_as_soon_as_it_is_there():
    phrases = Phrases(8)
    assert phrases.add("One is") == []
    assert [phrase.text for phrase in phrases.add(" enough. Tw")] == ["One is enough."]
    assert [phrase.text for phrase in phrases.add("o. ")] == ["Two."]
    assert phrases.add("", last=True) == []


def test_a_pause_belongs_after_sentences_only():
    phrases = Phrases(4)
    cuts = phrases.add("Well, yes and no and maybe so. Bye", last=True)
    assert [(phrase.text, phrase.ends_sentence) for phrase in cuts] == [
        ("Well,", False),
        ("yes and no and maybe so.", True),
        ("Bye", False),
    ]
