"""`nod bench`: what Nod measures of itself."""
