"""Function policies as AWS, tools and people write them, and the same with known defects.

What is in here is written from AWS's documentation and knows nothing of the rules, so that it can hold them to account.
"""
