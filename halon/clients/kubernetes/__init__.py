"""Kubernetes through the official asyncio client: several clusters by name, raw JSON in, small typed views out.

`connection` speaks to one cluster and maps its errors, `objects` holds the views, `api` the calls that actions make,
`rollout` how far a Deployment's rollout is, `ownership` who else may write to an object.
"""
