"""Commands to the ledger of guards whose answer does not come."""

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from halon.clients.embedded import free_port
from halon.clients.ledger import LedgerClient
from halon.contracts.ledger import RESUME_UPDATE, Resume
from halon.errors import TransientError


async def test_a_command_without_an_answer_says_that_it_may_still_be_carried_out() -> None:
    client = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True, data_converter=pydantic_data_converter)
    resume = Resume(by="ana@example.com", everything=True)
    with pytest.raises(TransientError, match="It may still be carried out: look at `halon guards`"):
        await LedgerClient(client, "guards").command(RESUME_UPDATE, resume)
