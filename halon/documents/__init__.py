"""Strict, positioned YAML, for playbooks and for halon.yaml: every error names file, line and column, all at once.

`parse` reads text into a `Document`, `validate` turns its value into a pydantic model. Both raise `DocumentError`;
`read` and `check` give what they could make of the file and the problems beside it, for callers that have more to say;
`read_stream` reads files of several documents that are not Halon's own.
"""

from halon.documents.document import Comment, Document, DocumentError, Position, Problem
from halon.documents.parsing import Limits, parse, read, read_stream
from halon.documents.validation import check, nearest, validate

__all__ = [
    "Comment",
    "Document",
    "DocumentError",
    "Limits",
    "Position",
    "Problem",
    "check",
    "nearest",
    "parse",
    "read",
    "read_stream",
    "validate",
]
