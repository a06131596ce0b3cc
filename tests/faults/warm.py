"""What all functions load, loaded once by the process that they are forked from: one that was killed is soon back."""

from adapters import aws
from handlers import message, notify_subscribers, project_views, sweep, work
from tests.simulation import mutants

__all__ = ["message", "mutants", "notify_subscribers", "project_views", "sweep", "work"]

aws.dynamodb()
aws.sqs()
aws.s3()
aws.sockets("http://127.0.0.1:9")
