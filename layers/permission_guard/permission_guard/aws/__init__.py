"""The clients, readers, tables, senders and writers that use boto3. Nothing else imports it."""
