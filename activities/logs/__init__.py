"""Actions that search logs in Elasticsearch and OpenSearch."""
