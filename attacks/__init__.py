"""How privacy is tested: one file an attack."""
