"""Settings: halon.yaml and the secrets that it names. This package is the only reader of the environment."""

from halon.settings.credentials import CredentialSettings, SecretRef, SecretSource
from halon.settings.identity import os_user, own_key
from halon.settings.loading import CONFIG_VARIABLE, load_settings
from halon.settings.model import Auth, GatewaySettings, GenericMap, Hmac, Settings, Source
from halon.settings.secrets import NoSecret, resolve, secrets_of

__all__ = [
    "CONFIG_VARIABLE",
    "Auth",
    "CredentialSettings",
    "GatewaySettings",
    "GenericMap",
    "Hmac",
    "NoSecret",
    "SecretRef",
    "SecretSource",
    "Settings",
    "Source",
    "load_settings",
    "os_user",
    "own_key",
    "resolve",
    "secrets_of",
]
