"""Amazon Q Developer in chat applications."""
