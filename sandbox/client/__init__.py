"""What runs in the development environment: starts the sandbox, works in it, watches the bot."""
