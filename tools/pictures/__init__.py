"""Pictures of an alert in Slack, in a mail, and of a ticket: what the deployed code writes, shown as the vendors do."""
