"""What people and tools really write, where the collection of it is at hand: judged, and told in `docs/corpus.md`."""
