"""Run by path inside the frameworks' own interpreters: Python 3.6 syntax, numpy only."""
