"""Permission statements that people and tools write, from a folder outside the repository, for `docs/corpus.md`."""
