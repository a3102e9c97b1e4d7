"""Plans from outside: read a file into tasks, say what was found in it, send them in."""
