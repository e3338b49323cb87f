"""The objects that flagd reads flags from: a FeatureFlag of the OpenFeature operator, and a ConfigMap."""

import json
from typing import Any

from custom_objects import CustomObjects

FEATURE_FLAG = "/apis/core.openfeature.dev/v1beta1/namespaces/shop/featureflags/flags"
CONFIG_MAP = "/api/v1/namespaces/shop/configmaps/flags"
FLAG = {"namespace": "shop", "name": "flags", "flag": "new-cart"}


def definition() -> dict[str, Any]:
    """A flag as flagd's schema has it."""
    return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on", "targeting": {}}


def flagd() -> CustomObjects:
    meta = {"name": "flags", "namespace": "shop"}
    schema = "https://flagd.dev/schema/v0/flags.json"
    text = json.dumps({"$schema": schema, "flags": {"new-cart": definition(), "other": definition()}})

    def drift(there: dict[str, Any]) -> None:
        if "spec" in there:
            there["spec"]["flagSpec"]["flags"]["new-cart"]["targeting"] = {"if": [True, "on"]}

    feature_flag = {"metadata": dict(meta), "spec": {"flagSpec": {"flags": {"new-cart": definition()}}}}
    config_map = {"metadata": dict(meta), "data": {"flags.flagd.json": text, "broken.json": "{"}}
    return CustomObjects({FEATURE_FLAG: feature_flag, CONFIG_MAP: config_map}, drift)
