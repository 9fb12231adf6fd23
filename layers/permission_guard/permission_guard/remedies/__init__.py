"""Remedies as text to copy: AWS CLI commands, SAM, CloudFormation and Terraform resources."""
