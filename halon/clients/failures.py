"""How errors become Temporal's failures, which stay in histories: without what looks like a secret in their words.

An API may repeat in its refusal what it was sent, a token too, and an error is told with all that led to it.
"""

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

from halon.redaction import redact_text

MAX_MESSAGE = 4000
MAX_TRACE = 20_000


class RedactingFailures(DefaultFailureConverter):
    """Masks messages and traces, those of causes as well."""

    encoded = False

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=False)

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Fill in `failure`; the SDK calls it for each cause too."""
        super().to_failure(exception, payload_converter, failure)
        message, trace = redact_text(failure.message, MAX_MESSAGE), redact_text(failure.stack_trace, MAX_TRACE)
        if self.encoded and not failure.HasField("encoded_attributes"):
            # As the SDK does it itself: the codec encrypts what is in the attributes.
            (attributes,) = payload_converter.to_payloads([{"message": message, "stack_trace": trace}])
            failure.encoded_attributes.CopyFrom(attributes)
            message, trace = "Encoded failure", ""
        failure.message, failure.stack_trace = message, trace


class EncodedFailures(RedactingFailures):
    """Puts messages and traces where the codec encrypts them."""

    encoded = True
