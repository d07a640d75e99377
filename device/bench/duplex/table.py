"""The figures of `nod bench duplex` for the terminal."""

from typing import Any

Row = dict[str, Any]


def print_canceller(kind: str, found: Row) -> None:
    """What is judged, then Nod alone by room, then what was said over it."""
    print(f"\n=== echo canceller {kind} ===")
    for row in found["judged"]:
        mark = {True: "ok ", False: "NOT", None: " – "}[row["met"]]
        value = "–" if row["found"] is None else f"{row['found']:g} {row['unit']}".strip()
        print(f"  {mark}  {row['what']:58} {row['wanted']:>9}  {value:>10}")
    print("\n  Nod alone               talk s  ducks  stops  ERLE  95 %  as speech")
    for row in found["alone"]["rooms"]:
        print(
            f"  {row['room']:12} {row['loudspeaker']:9}{row['talk_s']:8.0f}{row['ducks']:7}{row['stops']:7}"
            f"{_number(row['erle_db']):>6}{_number(row['erle_low_db']):>6}{_percent(row['vad_false']):>11}"
        )
    print("\n  said over it            trials  stopped  ducked  duck p50   p95  silence p50   p95  words     seen")
    for kind_of, groups in (("orders", found["orders"]), ("stop words", found["stop words"])):
        for level, row in groups.items():
            print(_line(f"{kind_of} at {level} dB", row))
    for name, row in found["noises"].items():
        print(_line(name, row))
    print("  orders by place")
    for row in found["places"]:
        print(_line(f"{row['room']} {row['loudspeaker'][:4]} {row['level_db']:g}", row))


def print_live(found: Row) -> None:
    """The orders to the daemon in real time, one a line."""
    print("\n=== the daemon in real time, orders at -10 dB ===")
    for row in found["rows"]:
        verdict = "stopped" if row["stopped"] else "NOT stopped" if row["counts"] else "Nod was silent"
        print(f"  {row['name']:20} {verdict:12} {_number(row['silence_ms']):>6} ms to silence")
    print(f"  {found['blocks']} blocks, {found['late_blocks']} late, {found['xruns']} xruns", flush=True)


def _line(name: str, row: Row) -> str:
    if not row["trials"]:
        return f"  {name:22} {'0':>7}"
    duck, silence = row["duck_ms"] or {}, row["silence_ms"] or {}
    return (
        f"  {name:22} {row['trials']:7}{_percent(row['stopped']):>9}{_percent(row['ducked']):>8}"
        f"{_number(duck.get('p50')):>10}{_number(duck.get('p95')):>6}"
        f"{_number(silence.get('p50')):>13}{_number(silence.get('p95')):>6}"
        f"{_percent(row['words_right']):>7}{_percent(row['vad_seen']):>9}"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
