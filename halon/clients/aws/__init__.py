"""AWS through boto3: several accounts by name, one attempt a call, AWS's errors as ours.

`api` is what actions call, `sessions` who Halon is in an account and the clients, `failures` what goes wrong, `iam` the
IAM action that a call needs.
"""
