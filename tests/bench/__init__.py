"""Commands that fit and measure."""

import device  # noqa: F401 - before anything imports numpy: see there
