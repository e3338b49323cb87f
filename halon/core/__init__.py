"""Pure decisions: no clock, no I/O, no chance; everything comes in as an argument."""
