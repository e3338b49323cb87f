"""What an action is: base classes, registry, driver and test doubles."""
