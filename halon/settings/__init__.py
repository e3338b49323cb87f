"""Settings: halon.yaml and the secrets that it names. This package is the only reader of the environment."""

from halon.settings.credentials import CredentialSettings, SecretRef, SecretSource
from halon.settings.identity import os_user, own_key
from halon.settings.loading import CONFIG_VARIABLE, load_settings
from halon.settings.model import GatewaySettings, Settings
from halon.settings.secrets import NoSecret, resolve, secrets_of
from halon.settings.sources import Auth, Basic, GenericMap, Header, Hmac, QueueSettings, Source

__all__ = [
    "CONFIG_VARIABLE",
    "Auth",
    "Basic",
    "CredentialSettings",
    "GatewaySettings",
    "GenericMap",
    "Header",
    "Hmac",
    "NoSecret",
    "QueueSettings",
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
