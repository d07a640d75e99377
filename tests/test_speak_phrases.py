"""Where replies are cut: no word is lost or moved, whatever bits they arrive in."""

import pytest
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


def test_a_sentence_that_comes_at_once_begins_with_its_first_clause():
    assert cut(["It's five past four PM. Anything else?"]) == ["It's five past four PM.", "Anything else?"]
    assert cut(["Okay, a timer for ten minutes."]) == ["Okay,", "a timer for ten minutes."]
    assert cut(["Yes, it is. Anything else?"]) == ["Yes, it is.", "Anything else?"]


def streamed(text: str) -> list[str]:
    return cut([" " + word for word in text.split()])


def test_the_first_phrase_ends_at_a_clause_when_there_is_one():
    assert streamed("Sure, the capital of France is Paris.")[0] == "Sure,"


def test_the_first_phrase_ends_in_a_place_where_a_speaker_could_breathe():
    for reply, phrases in {
        "The tallest mountain on earth is called Mount Everest.": ["The tallest mountain", "on earth"],
        "The capital of France is Paris.": ["The capital of France", "is Paris."],
        "The moon is about 238,900 miles away from Earth.": ["The moon", "is about"],
        "Albert Einstein was a German physicist.": ["Albert Einstein", "was a German physicist."],
        "He was a German physicist of note.": ["He was a German physicist", "of note."],
        "A spider has 8 legs.": ["A spider", "has 8 legs."],
    }.items():
        cuts = streamed(reply)
        assert cuts[0] == phrases[0] and cuts[1].startswith(phrases[1])


@pytest.mark.parametrize(
    "phrases",
    [
        ["The cat is black", "and small."],  # "The cat" is too short to be said alone
        ["Well done.", "One two three four five six, seven eight nine ten eleven twelve thirteen."],
        ["Well done.", "One two three four five six seven,", "eight nine ten eleven twelve thirteen."],
        ["It was a very big", "and heavy machine that could do everything for everyone", "in the old house."],
        ["I think that the old man", "has been in the house with his dog", "for a very long time and then he went home."],
        ["1. Eat well.", "2. Sleep."],
        ['He said "Yes."', "Then he left."],
        ["Bring tea,", "etc.", "We leave."],
        ["Bring tea etc.", "and go now."],
        ["In 1969.", "He left."],
        ["It is 123.", "Now go."],
        ["Here it is:", "one two three."],
        ["He went --", "slowly -- home again."],
        ["U.S. Army is big.", "Yes."],
        ["No.", "I don't think so."],
        ["No. 5 is alive."],
        ["It takes 2 min.", "Then stir."],
        ["Big dogs bark", "loudly at night."],
        ["Elephants are very big animals."],
        ["Approx. five of them", "are here."],
    ],
)
def test_where_a_reply_that_comes_word_by_word_is_cut(phrases):
    assert streamed(" ".join(phrases)) == phrases


_TEN = "One two three four five six seven eight nine ten."


@pytest.mark.parametrize(
    "phrases",
    [
        ["Well, yes.", "So it goes."],
        ["Sure,", "the capital, of France, is Paris."],
        ["Yes.", _TEN, _TEN, _TEN],
        ["Yes.", "word " * 23 + "end.", "Bye."],
        ["Yes.", "word " * 24, "word word"],
        ["Yes.", "word " * 23, "the word word word"],
        ["Yes.", "word " * 20, "with word word word word word"],
        ["Yes.", "One two three four five six seven, eight nine ten,", "eleven twelve"],
        ["Yes.", "One two, three four,", "five " + "word " * 23, "word"],
        ["Yes,", "5 of them came in March"],
        ["Of course,", "5 of them are here."],
        ["It opens at 9 p.m.", "Tickets are free."],
        ["Wait…", "What?", "Yes!", "Go."],
        ['He said "Yes."', "Then he left."],
        ["Sure —", "it is so."],
        ["He went --", "slowly -- home again."],
        ['"Sure,"', "he said to me."],
        ['"J. Smith left."', "Bye."],
    ],
)
def test_where_a_reply_that_comes_at_once_is_cut(phrases):
    phrases = [phrase.strip() for phrase in phrases]
    assert cut([" ".join(phrases)]) == phrases


def test_a_first_phrase_may_be_longer_where_more_words_come_at_once():
    assert cut(["The tall man from London with a ", "dog."]) == ["The tall man from London", "with a dog."]
    assert cut(["The tall man with a ", "dog."]) == ["The tall man", "with a dog."]
    assert cut(["10. Eat well. It is 123. Now go."], 20) == ["10. Eat well.", "It is 123.", "Now go."]
    assert cut(["One two three"], 1) == cut(["One two three"], 0) == ["One", "two three"]


def test_a_date_stays_whole():
    """Its day and its year are read as such only beside each other."""
    for date in ("March 5, 1984", "Sept. 2nd, 1945", "May 8, 1945"):
        for opening in ("", "That was", "He was born on", "It is said to have ended on"):
            for text in (f"{opening} {date}.", f"{opening} {date}, in the morning of a day in spring."):
                for cuts in (cut([text.strip()]), streamed(text)):
                    assert any(date in phrase for phrase in cuts), cuts


def test_a_sign_stays_with_what_is_reckoned():
    """Alone at an end a hyphen is a pause."""
    for sign in "-+=":
        assert not [phrase for phrase in streamed(f"It makes 10 {sign} 5 apples.") if phrase.endswith(sign)]


def test_a_comma_after_a_day_or_a_number_ends_a_phrase_where_no_year_follows():
    for text in ("On March 5, we leave for the sea.", "In 1969, two people walked on the moon.", "It's 5, or 6 with rain."):
        assert cut([text])[0] == streamed(text)[0] == text.split(",")[0] + ","


def test_a_whole_sentence_is_not_cut_though_its_end_comes_a_moment_later():
    for reply in ("It's five past four PM.", "That makes 12.", "Half past ten in the evening."):
        assert cut([reply, ""]) == [reply]


def test_what_follows_a_first_phrase_of_a_few_words_is_short_too():
    words = ["One two three", " ", *(f"word{i} " for i in range(40))]
    cuts = cut(words)
    assert [len(phrase.split()) for phrase in cuts[:2]] == [3, 12]
    assert max(len(phrase.split()) for phrase in cuts[2:]) == 24


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
