"""The text to paste: AWS CLI, SAM and CloudFormation, Terraform."""
