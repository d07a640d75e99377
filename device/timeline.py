"""Both sides of a conversation over one time axis, as a piece of HTML.

Waveforms are SVG paths stretched to the width; everything else is placed in percent of the duration.  The page zooms by
making the piece wider, and nothing has to be drawn again.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.events import SAMPLE_RATE_HZ

Events = Sequence[dict[str, Any]]

COLUMNS_MAX = 12_000
COLUMN_SAMPLES = 160  # 10 ms, as fine as a gap is read from the picture
HALF_HEIGHT = 100
# A side whose peak is lower than this is drawn as quiet as it is, so that noise alone doesn't look like speech.
QUIETEST_PEAK = 0.1
PHASES = ("idle", "listening", "hearing", "pausing", "thinking", "speaking", "ducked")


@dataclass(frozen=True)
class Sound:
    """Something that left the loudspeaker.  kind: "reply", "filler", "nod" or "alarm"."""

    start_s: float
    end_s: float
    kind: str
    heard: str
    was_cut: bool


def render(user: np.ndarray, agent: np.ndarray, events: Events, budget_ms: float) -> str:
    """The rows: axis, the user's side, gaps, Nod's side, states.

    user, agent: float32 [-1, 1] at 16 kHz, equally long.  events: lines of `events.jsonl`.  budget_ms: of a turn.
    """
    duration_s = max(user.size, 1) / SAMPLE_RATE_HZ
    sounds = find_sounds(events, duration_s)
    you = _svg([("user", envelope_path(user))], user.size) + _wakes(events, duration_s)
    nod = _svg(_agent_paths(agent, sounds), agent.size) + _spans(sounds, duration_s)
    rows = [
        f'<div class="axis">{_axis(duration_s)}</div>',
        f'<div class="words">{_user_words(events, duration_s)}</div>',
        f'<div class="wave you" data-row="You">{you}</div>',
        f'<div class="gaps">{_gaps(events, duration_s, budget_ms)}</div>',
        f'<div class="wave nod" data-row="Nod">{nod}</div>',
        f'<div class="words">{_agent_words(sounds, duration_s)}</div>',
        f'<div class="states">{_states(events, duration_s)}</div>',
    ]
    return "".join(rows)


def find_sounds(events: Events, duration_s: float) -> list[Sound]:
    """Pairs of sound_start and sound_end; a sound without an end lasts to the end of the recording."""
    sounds: list[Sound] = []
    open_: dict[str, float] = {}
    for event in events:
        kind = event.get("sound", "reply")
        if event["kind"] == "sound_start":
            open_[kind] = event["t_s"]
        elif event["kind"] == "sound_end" and kind in open_:
            heard = event.get("heard") or ""
            text = heard if isinstance(heard, str) else " ".join(heard)
            sounds.append(Sound(open_.pop(kind), event["t_s"], kind, text, bool(event.get("was_cut"))))
    sounds += [Sound(start_s, duration_s, kind, "", False) for kind, start_s in open_.items()]
    return sorted(sounds, key=lambda sound: sound.start_s)


# --- waveforms --------------------------------------------------------------------------------------------------------


def _column_samples(size: int) -> int:
    return max(COLUMN_SAMPLES, -(-size // COLUMNS_MAX))


def envelope_path(samples: np.ndarray, ranges: Sequence[tuple[float, float]] | None = None) -> str:
    """SVG path of the lowest and highest sample in each column, in all or in `ranges` (seconds).

    x: columns; y: 0 is the top, full scale (the recording's own peak), HALF_HEIGHT is silence.
    """
    if samples.size == 0:
        return ""
    column = _column_samples(samples.size)
    padded = np.pad(samples, (0, -samples.size % column)).reshape(-1, column)
    gain = HALF_HEIGHT / max(float(np.abs(samples).max()), QUIETEST_PEAK)
    top = np.rint(HALF_HEIGHT - padded.max(axis=1) * gain - 0.5).astype(int)
    bottom = np.rint(HALF_HEIGHT - padded.min(axis=1) * gain + 0.5).astype(int)
    if ranges is None:
        return _area(0, top, bottom)
    parts = []
    for start_s, end_s in ranges:
        first, last = int(start_s * SAMPLE_RATE_HZ // column), -int(-end_s * SAMPLE_RATE_HZ // column)
        if 0 <= first < min(last, top.size):
            parts.append(_area(first, top[first:last], bottom[first:last]))
    return "".join(parts)


def _area(first: int, top: np.ndarray, bottom: np.ndarray) -> str:
    there = " ".join(f"{x} {y}" for x, y in enumerate(top.tolist(), first))
    last = first + bottom.size - 1
    back = " ".join(f"{last - i} {y}" for i, y in enumerate(bottom[::-1].tolist()))
    return f"M{there} {back}Z"


def _svg(paths: Sequence[tuple[str, str]], size: int) -> str:
    columns = max(1, -(-size // _column_samples(size)))
    drawn = "".join(f'<path class="{html.escape(name)}" d="{path}"/>' for name, path in paths)
    return f'<svg viewBox="0 0 {columns} {2 * HALF_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'


def _agent_paths(agent: np.ndarray, sounds: Sequence[Sound]) -> list[tuple[str, str]]:
    kinds = sorted({sound.kind for sound in sounds})
    paths = [("rest", envelope_path(agent))]
    return paths + [(k, envelope_path(agent, [(s.start_s, s.end_s) for s in sounds if s.kind == k])) for k in kinds]


# --- what is placed over them -----------------------------------------------------------------------------------------


def _box(name: str, start_s: float, end_s: float, duration_s: float, text: str = "", tip: str = "") -> str:
    left, width = 100 * start_s / duration_s, 100 * max(0.0, end_s - start_s) / duration_s
    hint = f' data-tip="{html.escape(tip)}"' if tip else ""
    return f'<div class="{name}" style="left:{left:.4f}%;width:{width:.4f}%"{hint}>{html.escape(text)}</div>'


def _axis(duration_s: float) -> str:
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300) if duration_s / s <= 80), 600)
    return "".join(
        _box("tick", t, t, duration_s, f"{t // 60}:{t % 60:02d}") for t in range(0, int(duration_s) + 1, step)
    )


def _wakes(events: Events, duration_s: float) -> str:
    return "".join(
        _box(
            "wake",
            e["t_s"],
            e["t_s"],
            duration_s,
            "",
            f'wake word "{e.get("word", "")}", score {e.get("score") or 0:.2f}',
        )
        for e in events
        if e["kind"] == "wake"
    )


def _user_words(events: Events, duration_s: float) -> str:
    """Each turn's text, from where its speech began."""
    began_s, said = None, []
    for event in events:
        if event["kind"] == "speech_start" and began_s is None:
            began_s = event.get("start_s", event["t_s"])
        elif event["kind"] == "turn_end":
            said.append((event["t_s"] if began_s is None else began_s, event.get("text") or ""))
            began_s = None
        elif event["kind"] == "state" and event.get("state") == "idle":
            began_s = None
    return _texts("user", said, duration_s)


def _agent_words(sounds: Sequence[Sound], duration_s: float) -> str:
    return _texts("reply", [(s.start_s, s.heard) for s in sounds if s.kind == "reply" and s.heard], duration_s)


def _texts(name: str, said: Sequence[tuple[float, str]], duration_s: float) -> str:
    parts = []
    for index, (at, text) in enumerate(said):
        end = said[index + 1][0] if index + 1 < len(said) else duration_s
        parts.append(_box(f"text {name}", at, end, duration_s, text, text))
    return "".join(parts)


def _gaps(events: Events, duration_s: float, budget_ms: float) -> str:
    parts = []
    for record in (event for event in events if event["kind"] == "turn"):
        gap, end_s = record.get("gap_ms"), record.get("user_end_s")
        if gap is None or end_s is None:
            continue
        grade = "met" if gap <= budget_ms else "missed"
        tip = f"{gap:.0f} ms from the end of the user's speech to the first sound" + (
            ", a filler" if record.get("filler") else ""
        )
        parts.append(_box("budget", end_s, end_s + budget_ms / 1000, duration_s))
        parts.append(_box(f"gap {grade}", end_s, end_s + gap / 1000, duration_s, f"{gap:.0f}", tip))
    return "".join(parts)


def _spans(sounds: Sequence[Sound], duration_s: float) -> str:
    parts = [
        _box(
            f"span {html.escape(s.kind)}",
            s.start_s,
            s.end_s,
            duration_s,
            "",
            f"{s.kind}: {s.heard}" if s.heard else s.kind,
        )
        for s in sounds
    ]
    parts += [
        _box("cut", s.end_s, s.end_s, duration_s, "cut", "the user interrupted here") for s in sounds if s.was_cut
    ]
    return "".join(parts)


def _states(events: Events, duration_s: float) -> str:
    """The band of states, from the first to the end of the recording."""
    changes = [(0.0, "idle")] + [(max(0.0, e["t_s"]), str(e.get("state"))) for e in events if e["kind"] == "state"]
    ends = [at for at, _ in changes[1:]] + [duration_s]
    parts = []
    for (at, state), end in zip(changes, ends, strict=True):
        if end > at:
            name = state if state in PHASES else "other"
            parts.append(
                _box(f"state {name}", at, min(end, duration_s), duration_s, state, f"{state}, {end - at:.2f} s")
            )
    return "".join(parts)
