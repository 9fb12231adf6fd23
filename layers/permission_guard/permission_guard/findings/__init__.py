"""The life of a finding: reconciling what was seen with what is recorded, and delivering it once."""
