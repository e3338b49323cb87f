"""docs/gateway.md shows what really comes: the worked example, the receipt, the statuses."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway_doubles import Gateway, firing, webhook

from halon.gateway.sources import build_source
from halon.settings.loading import parse_settings

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_worked_example_gives_the_alert_that_is_shown() -> None:
    sent, alert, _ = (json.loads(block) for block in blocks("json"))
    settings = parse_settings(blocks("yaml")[1], Path("halon.yaml")).gateway.sources["checks"]
    parsed = build_source("checks", settings).parse(sent, {}, datetime.now(UTC))
    assert [one.model_dump(mode="json", exclude={"cycle", "undated"}) for one in parsed.alerts] == [alert]


async def test_the_receipt_is_the_one_that_is_shown(gateway: Gateway) -> None:
    receipt = (await gateway.post(webhook(firing(), firing(alertname="NodeDown")))).json()
    assert receipt == json.loads(blocks("json")[2])


async def test_the_statuses_are_those_of_the_openapi_document(gateway: Gateway) -> None:
    schema: dict[str, Any] = (await gateway.http.get("/openapi.json")).json()
    responses = schema["paths"]["/v1/alerts/{source}"]["post"]["responses"]
    assert re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE) == sorted(responses)
