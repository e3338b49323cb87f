"""Settings: halon.yaml and the secrets that it names. This package is the only reader of the environment."""

from halon.settings.identity import os_user, own_key
from halon.settings.loading import CONFIG_VARIABLE, load_settings
from halon.settings.model import Auth, GatewaySettings, GenericMap, Hmac, Settings, Source
from halon.settings.secret_ref import SecretRef
from halon.settings.secrets import resolve

__all__ = [
    "CONFIG_VARIABLE",
    "Auth",
    "GatewaySettings",
    "GenericMap",
    "Hmac",
    "SecretRef",
    "Settings",
    "Source",
    "load_settings",
    "os_user",
    "own_key",
    "resolve",
]
