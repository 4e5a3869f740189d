"""How a gate's verdict is read: a comment, test results, a table. Sees only what the gate says; imports no numpy."""
