"""Live in the visitor's own browser: the files it needs, and the script that offers it to the page."""
