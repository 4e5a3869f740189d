"""Several audits held against one another: who is compared, on what, number by number."""
