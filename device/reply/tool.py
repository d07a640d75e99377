"""What a tool is: a function with a declared effect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Args = Mapping[str, Any]  # what JSON can hold: it is written to the ledger
Effect = Literal["read", "reversible", "irreversible"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """text: the outcome as a sentence to be said.  trace: what `Tool.undo` needs to find what was done."""

    text: str
    trace: Args = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    """Something Nod can look up or do.

    effect: "read" may be called for a reply that is only being prepared; the others act only when the user's turn is
    over, "irreversible" only after a spoken yes to its question, and when that turn can't go on any more.
    run: does it; any worker thread; raises ToolError with a sentence to be spoken.
    preview: acting tools only: the sentence that will be true once `run(args)` has succeeded.  Without any effect;
    raises ToolError where it is clear already that it can't be done.
    describe: what a call was for, to continue "I had begun to ..." of one that hangs or was cut short, "I couldn't ..."
    of one that broke, and "I couldn't undo this: ...".  Acting tools only.
    on_interrupt: "cancel": nobody waits for it when the user interrupts; "complete": it finishes, and what it did is
    said in the next turn.  leaves_process: waits for something outside that may be slow; without any history it counts
    as such.
    question: irreversible tools only: asks for the yes without which it isn't called, and says what would be lost; its
    last sentence can be answered with yes or no.
    undo: reversible tools only: takes back what the result with that trace did; its result says so.  Any worker thread;
    raises ToolError with a sentence to be spoken where it is too late.
    """

    name: str
    effect: Effect
    run: Callable[[Args], ToolResult]
    preview: Callable[[Args], str] | None = None
    describe: Callable[[Args], str] | None = None
    on_interrupt: Literal["cancel", "complete"] = "cancel"
    leaves_process: bool = False
    undo: Callable[[Args], ToolResult] | None = None
    question: Callable[[Args], str] | None = None

    def __post_init__(self) -> None:
        acts = self.effect != "read"
        if acts != (self.preview is not None) or acts != (self.describe is not None):
            raise ValueError(f"tool {self.name}: preview and describe belong to an acting tool, and to no other")
        if acts and self.on_interrupt != "complete":
            raise ValueError(
                f"tool {self.name}: a tool that acts can't be cancelled half way; on_interrupt must be complete"
            )
        if (self.effect == "reversible") != (self.undo is not None):
            raise ValueError(f"tool {self.name}: undo belongs to a reversible tool, and to no other")
        if (self.effect == "irreversible") != (self.question is not None):
            raise ValueError(f"tool {self.name}: question belongs to an irreversible tool, and to no other")

    @property
    def acts(self) -> bool:
        """Whether it changes anything."""
        return self.effect != "read"
