"""What the playbook language is told of the installed actions: their names, parameters, outputs and effects."""

from halon.kit.registry import Registry
from halon.playbook.actions import ActionSchemas


def action_schemas(registry: Registry) -> ActionSchemas:
    """Give every action as data, by name."""
    return registry.schemas
