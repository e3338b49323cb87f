"""Actions on incidents of ServiceNow."""
