"""What was heard is the truth (contract 4): a reply that is cut, and what of it becomes part of the conversation."""

import re
from dataclasses import replace

from device import events as ev
from device.conversation_state import (
    PARTINGS_MAX,
    Parting,
    Result,
    Rules,
    State,
    draft_of,
    floor_is_free,
    new_draft,
    wait,
)
from device.speak.speakable import clean


def give_up(state: State, is_repair: bool = False) -> Result:
    """Drop the live draft, if one is to be heard.  The playout tells what was heard of it (`part`)."""
    if state.phase not in ("thinking", "speaking", "ducked"):
        return state, []
    commands: list[object] = [ev.Cut(state.draft)]
    parting = Parting(state.draft, state.user, true_text(state), is_repair, state.announced)
    state, advance = new_draft(replace(state, partings=(*state.partings, parting)[-PARTINGS_MAX:]))
    return state, advance + commands


def true_text(state: State) -> str:
    """What the reply says, without what is true only once a tool has acted that hasn't yet."""
    return state.reply_text[: state.gated_from]


def part(state: State, event: ev.PlayoutEnded, rules: Rules) -> Result:
    """A reply that was cut has ended: what was heard of it is what counts."""
    parting = next(p for p in state.partings if p.draft == event.draft)
    state = replace(state, partings=tuple(p for p in state.partings if p is not parting))
    heard = " ".join(event.heard)
    if parting.announced and not heard:
        again = replace(parting.announced, was_cut=True)
        return wait(state, (again, *state.queued)), []
    if not heard and (parting.is_repair or not parting.user):
        return state, []
    left = unheard(parting.text, event.heard)
    exchange = ev.Exchange(parting.user, heard, event.was_cut, left if event.was_cut else "")
    state, commands = remember(state, exchange, event.draft, rules)
    if state.prepared is None or state.committed:
        return state, commands
    # What was said over the reply was prepared in the same moment, by a history without it: "repeat that".
    state, anew = draft_of(state, state.prepared)
    return state, commands + anew


def unheard(text: str, heard: tuple[str, ...]) -> str:
    """What of `text` comes after its words `heard`: whole words, without markup and pictures, which nobody hears.

    Words are known by their letters and digits: signs are heard with the word before them, or not at all.
    """
    text, heard_to = clean(text), 0
    left = [letters for word in heard for letters in map(_letters, word.split()) if letters]
    for word in re.finditer(r"\S+", text):
        letters = _letters(word[0])
        if not letters:
            continue
        # Where the voice got a link or a tag in two phrases, it said the address with a word, or words that aren't here.
        same = [left[0].startswith(letters), *(other == letters for other in left[1:])] if left else []
        if True not in same:
            return text[heard_to:].strip()
        del left[: same.index(True) + 1]
        heard_to = word.end()
    return ""


def _letters(word: str) -> str:
    return "".join(letter for letter in word if letter.isalnum())


def remember(state: State, exchange: ev.Exchange, draft: int, rules: Rules) -> Result:
    """Into the history, which is what the next replies go by."""
    history = state.history + (exchange,)
    if len(history) > rules.history_turns:
        # Half of it at once: whenever its beginning changes, the model reads all of it again, for a second or two.
        history = history[len(history) - (rules.history_turns + 1) // 2 :]
    return replace(state, history=history), [ev.Remember(exchange, draft)]


def announced_again(state: State, is_wanted: bool) -> State:
    """The first turn after an announcement that was cut before its words decides about it: who stops an alarm doesn't want
    them later, and whoever says anything else is told."""
    queued = (replace(waiting, was_cut=False) for waiting in state.queued if is_wanted or not waiting.was_cut)
    return wait(state, tuple(queued))


def nothing_to_say(state: State, rules: Rules) -> Result:
    exchange = ev.Exchange(state.user, "")
    state, commands = remember(announced_again(state, not state.quiet), exchange, state.draft, rules)
    if state.quiet and not rules.always_open:
        # Whoever wants silence isn't answered by the next thing said in the room.
        return replace(state, phase="idle", deadline=None), [*commands, ev.StopListening(state.turn)]
    state, rest = floor_is_free(state, rules)
    return state, commands + rest
