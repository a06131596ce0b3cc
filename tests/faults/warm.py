"""What all functions load, loaded once by the process that they are forked from: one that was killed is soon back."""

import boto3

from handlers import message, notify_subscribers, project_views, sweep, work
from tests.simulation import mutants

__all__ = ["message", "mutants", "notify_subscribers", "project_views", "sweep", "work"]

boto3.client("dynamodb")
boto3.client("sqs")
boto3.client("s3")
boto3.client("apigatewaymanagementapi", endpoint_url="http://127.0.0.1:9")
