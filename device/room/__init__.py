"""A simulated room to test in: a closed loop from the loudspeaker through the room into the microphone."""
