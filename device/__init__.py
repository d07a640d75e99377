"""Nod: an on-device voice assistant.  `device.cli` is the way in; DESIGN is told in README.md and docs/."""

import os

# Before anything imports numpy: OpenBLAS would share each small product among threads at normal priority, and a realtime
# thread would wait for them behind everything else on the machine (measured: 64 ms instead of 1.6 ms for 8 s of features).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# ONNX Runtime's builds for Linux tell Microsoft since 1.29 what they run, unless this says no: it keeps events in the user's cache
# folder and sends them where there is a network.  What hears your home tells nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
