"""The run's open questions, as people are told of them: who is asked, reminded, and asked as well. Pure."""

from collections.abc import Sequence

from halon.contracts.audit import AuditKind
from halon.contracts.base import is_list
from halon.contracts.coordination import AskedQuestion, News, Question
from halon.core.bulletin import Bulletin

MAX_OPEN = 50
_ENDED = frozenset({AuditKind.APPROVED, AuditKind.DENIED, AuditKind.EXPIRED})


class Questions:
    """Which questions are open, and who was asked."""

    def __init__(self, incident: str, bulletin: Bulletin, asked: Sequence[AskedQuestion]) -> None:
        self._incident = incident
        self._bulletin = bulletin
        self._open = {(one.question.run, one.question.step): one for one in asked}

    @property
    def asked(self) -> tuple[AskedQuestion, ...]:
        """Those that are open."""
        return tuple(self._open.values())

    def hear(self, news: News) -> None:
        """Tell those whom it concerns."""
        key = (news.run, news.step)
        if news.kind is AuditKind.APPROVAL_ASKED:
            question = Question(run=news.run, step=news.step, plan=str(news.data.get("plan") or ""))
            to = references(news.data.get("from"))
            if len(self._open) < MAX_OPEN:
                self._open[key] = AskedQuestion(question=question, to=to, words=news.message)
            self._ask(question, to, "Please decide", news.message)
        elif key in self._open and news.kind is AuditKind.APPROVAL_REMINDED:
            one = self._open[key]
            self._ask(one.question, one.to, "Still waiting for a decision", one.words)
        elif key in self._open and news.kind is AuditKind.APPROVAL_ESCALATED:
            one, further = self._open[key], references(news.data.get("to"))
            self._open[key] = one.model_copy(update={"to": (*one.to, *further)})
            self._ask(one.question, further, "Nobody has decided yet, please do", one.words)
        elif news.kind in _ENDED:
            self._open.pop(key, None)

    def close(self) -> None:
        """The run is over: nothing can be decided any more."""
        self._open.clear()

    def _ask(self, question: Question, to: Sequence[str], word: str, asked: str) -> None:
        plan = f" --plan {question.plan[:12]}" if question.plan else ""
        how = f"halon approve {self._incident}{plan} --step {question.step}"
        body = f"{asked}\n\nApprove: {how}\nDeny: {how.replace('approve', 'deny', 1)} --comment 'why'"
        for whom in (to, self._bulletin.floors):  # those who are asked do not wait for the thread to be there
            title = f"{word}: {question.step} of {self._incident}"
            self._bulletin.direct("question", whom, title, body, "warning", question)


def references(value: object) -> tuple[str, ...]:
    """Names in an event's data: a list of them, or a text with commas."""
    if isinstance(value, str):
        return tuple(one.strip() for one in value.split(",") if one.strip())
    return tuple(str(one) for one in value) if is_list(value) else ()
