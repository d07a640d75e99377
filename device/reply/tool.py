"""What a tool is: a function with a declared effect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Args = Mapping[str, Any]  # what JSON can hold: it is written to the ledger
Effect = Literal["read", "reversible", "irreversible"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """text: the outcome as a sentence to be said."""

    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """Something Nod can look up or do.

    effect: "read" may be called for a reply that is only being prepared; the others act only when the user's turn is
    over.
    run: does it; any worker thread; raises ToolError with a sentence to be spoken.
    preview: acting tools only: the sentence that will be true once `run(args)` has succeeded.  Without any effect;
    raises ToolError where it is clear already that it can't be done.
    describe: what a call was for, to continue "I had begun to ..." after a power cut.  Acting tools only.
    on_interrupt: "cancel": nobody waits for it when the user interrupts; "complete": it finishes, and what it did is
    said in the next turn.  leaves_process: uses disk, network or a device, so without any history it counts as slow.
    """

    name: str
    effect: Effect
    run: Callable[[Args], ToolResult]
    preview: Callable[[Args], str] | None = None
    describe: Callable[[Args], str] | None = None
    on_interrupt: Literal["cancel", "complete"] = "cancel"
    leaves_process: bool = False

    def __post_init__(self) -> None:
        acts = self.effect != "read"
        if acts != (self.preview is not None) or acts != (self.describe is not None):
            raise ValueError(f"tool {self.name}: preview and describe belong to an acting tool, and to no other")
        if acts and self.on_interrupt != "complete":
            raise ValueError(
                f"tool {self.name}: a tool that acts can't be cancelled half way; on_interrupt must be complete"
            )

    @property
    def acts(self) -> bool:
        """Whether it changes anything."""
        return self.effect != "read"
