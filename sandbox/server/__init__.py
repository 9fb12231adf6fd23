"""What runs inside MiniStack's interpreter: the AWS of the sandbox."""
