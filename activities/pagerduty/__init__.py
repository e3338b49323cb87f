"""Actions on incidents of PagerDuty."""
