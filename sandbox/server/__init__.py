"""The part of the sandbox that runs in MiniStack's interpreter: AWS itself."""
