"""How small a leak would have been found: planted leaks and what attacks make of them."""
