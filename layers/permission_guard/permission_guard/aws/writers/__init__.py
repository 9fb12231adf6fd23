"""Writers: change IAM. Only the fix function's composition root imports them."""
