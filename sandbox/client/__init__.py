"""The part of the sandbox in the development environment: start it, make calls, observe the bot."""
