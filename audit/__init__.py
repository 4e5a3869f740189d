"""The engine: what an audit is, how it runs, how it is judged."""
