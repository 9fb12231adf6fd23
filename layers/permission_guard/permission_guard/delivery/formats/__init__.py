"""A message as plain text, Markdown and HTML. Each escapes what others wrote, so that it is shown and does nothing."""
