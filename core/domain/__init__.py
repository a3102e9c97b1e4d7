"""What may happen. Pure: no clock, no chance, no I/O, and no id made up on the spot."""
