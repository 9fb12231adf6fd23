"""How long `permission-guard check` takes for a folder of small templates: `python -m benchmarks.check [COUNT]`.

Half of the templates are SAM's. Each has a function with a role, a trigger and a permission.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

COUNT: Final = 1000
TARGET_SECONDS: Final = 10.0

SAM: Final = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: prod}
Globals:
  Function: {Timeout: 3, Runtime: python3.13}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      FunctionName: !Sub "orders-NUMBER-${Stage}"
      Policies:
        - SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}
      Events:
        Api: {Type: Api, Properties: {Path: /orders, Method: get}}
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
  Queue: {Type: AWS::SQS::Queue}
"""
CLOUDFORMATION: Final = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]
  Orders:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: orders-NUMBER
      Code: {ZipFile: "#"}
      Handler: index.handler
      Runtime: python3.13
      Role: !GetAtt Role.Arn
  Topic: {Type: AWS::SNS::Topic}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Orders
      Principal: sns.amazonaws.com
      SourceArn: !Ref Topic
"""


def write_templates(folder: Path, count: int) -> None:
    """Write templates into a folder, SAM's and CloudFormation's in turn."""
    for number in range(count):
        text = SAM if number % 2 else CLOUDFORMATION
        (folder / f"{number:05}.yaml").write_text(text.replace("NUMBER", str(number)))


def measure(folder: Path) -> tuple[float, dict[str, Any]]:
    """Check a folder in a process of its own. Return the seconds from its start to its end, and the counts."""
    command = [sys.executable, "-c", "from permission_guard.cli import main; main()", "check", str(folder)]
    started = time.perf_counter()
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
    counts: dict[str, Any] = json.loads(done.stdout)["counts"]
    return time.perf_counter() - started, counts


def main() -> int:
    """Print the time, and fail if it is over the target."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as name:
        write_templates(Path(name), count)
        seconds, counts = measure(Path(name))
    print(f"{counts['files']} of {count} templates in {seconds:.1f} s; target for {COUNT}: {TARGET_SECONDS:g} s")
    return int(counts["files"] != count or seconds > TARGET_SECONDS * max(1, count / COUNT))


if __name__ == "__main__":
    sys.exit(main())
