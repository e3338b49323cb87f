"""Actions on applications in Argo CD."""
