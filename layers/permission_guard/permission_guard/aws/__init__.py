"""All AWS I/O of the package: clients, readers, writers. Nothing else imports boto3."""
