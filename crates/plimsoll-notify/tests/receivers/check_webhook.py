"""Checks requests of a webhook by the library of Standard Webhooks and the schema, apart from our own code.

Reads a JSON object: the schema, and requests with the secrets that each must be signed with.
"""

import json
import sys

import jsonschema
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(sys.stdin)
validator = jsonschema.Draft202012Validator(given["schema"])
jsonschema.Draft202012Validator.check_schema(given["schema"])
for request in given["requests"]:
    body = request["body"]
    for secret in request["secrets"]:
        Webhook(secret).verify(body, request["headers"])
    try:
        Webhook(given["other_secret"]).verify(body, request["headers"])
    except WebhookVerificationError:
        pass
    else:
        sys.exit("another secret verifies it, too")
    validator.validate(json.loads(body))
    without = json.loads(body)
    del without["data"]["messages"][0]["severity"]
    assert not validator.is_valid(without), "the schema allows everything"
print("checked", len(given["requests"]))
