"""Writers: change IAM or Lambda. Only the fix function's composition root imports them."""
