"""`nod bench duplex`: interrupting Nod in simulated rooms."""
