"""The doors to DynamoDB, S3, SQS and API Gateway, and what runs requests between them."""
