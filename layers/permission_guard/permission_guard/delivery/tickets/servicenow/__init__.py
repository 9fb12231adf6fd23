"""Incidents of a ServiceNow instance."""
