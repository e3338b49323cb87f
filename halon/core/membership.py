"""Which alerts belong to an incident, which of them still fire, and how often they came. Pure."""

from collections.abc import Mapping, Sequence

from halon.contracts.alert import Alert, AlertStatus

MAX_MEMBERS = 1000
"""Episodes that an incident keeps apart; further ones are counted as repeats."""
OTHERS = "others"
"""Where repeats are counted of alerts that are not kept apart."""
_SERVICE_LABELS = ("service", "app", "deployment", "statefulset", "daemonset", "container", "job", "namespace")
"""Labels that name the service, the best first; `job` is often that of the exporter which saw the trouble."""


def shared_labels(alerts: Sequence[Alert]) -> dict[str, str]:
    """Give the labels that all of these alerts agree on."""
    labels = dict(alerts[0].labels) if alerts else {}
    for alert in alerts[1:]:
        labels = {name: value for name, value in labels.items() if alert.labels.get(name) == value}
    return labels


class Members:
    """The alerts of one incident."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._refused: set[str] = set()
        self._repeats: dict[str, int] = {}
        self.firings = 0
        """How often a firing alert came, repeats included."""
        self.count = 0
        """How often any alert came."""

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Each episode as last heard of, the first one first."""
        return tuple(self._alerts.values())

    @property
    def severity(self) -> str:
        """That of the first alert."""
        return self.alerts[0].severity if self._alerts else ""

    @property
    def service(self) -> str:
        """What the first alert's labels say is in trouble."""
        labels = self.alerts[0].labels if self._alerts else {}
        return next((labels[name] for name in _SERVICE_LABELS if labels.get(name)), "")

    @property
    def labels(self) -> dict[str, str]:
        """The labels that all alerts agree on."""
        return shared_labels(self.alerts)

    @property
    def repeats(self) -> int:
        """How often an alert came that was known already."""
        return self.firings - sum(1 for _ in self._alerts)

    @property
    def cleared(self) -> bool:
        """Whether there are alerts and all of them have resolved."""
        return bool(self._alerts) and all(one.status is AlertStatus.RESOLVED for one in self._alerts.values())

    def count_repeats(self, firing: Mapping[str, int], ended: Mapping[str, int]) -> None:
        """Enter what a gateway has counted instead of sending it."""
        for episode, times in firing.items():
            self.firings += times
            self._repeated(episode, times)
        for episode, times in ended.items():
            self._repeated(episode, times)
        self.count += sum(firing.values()) + sum(ended.values())

    def told_repeats(self) -> dict[str, int]:
        """Give how often each episode came again since this was asked last."""
        told, self._repeats = self._repeats, {}
        return told

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Those that fire, as last heard of."""
        return tuple(one for one in self._alerts.values() if one.status is AlertStatus.FIRING)

    def holds(self, episode: str) -> bool:
        """Whether the episode is one of this incident's."""
        return episode in self._alerts

    def new_episodes(self, batch: Sequence[Alert]) -> tuple[str, ...]:
        """Episodes in `batch` that nobody has been asked about yet, firing, each once."""
        known = self._alerts.keys() | self._refused
        fresh = [one.episode for one in batch if one.status is AlertStatus.FIRING and one.episode not in known]
        return tuple(dict.fromkeys(fresh))[: MAX_MEMBERS - len(self._alerts)]

    def take(self, batch: Sequence[Alert], mine: frozenset[str]) -> list[tuple[Alert, str]]:
        """Enter alerts. Says for each what is new: `new`, `resolved`, `taken` (another incident's), or nothing."""
        return [(alert, self._enter(alert, mine)) for alert in batch]

    def _enter(self, alert: Alert, mine: frozenset[str]) -> str:
        episode, known = alert.episode, self._alerts.get(alert.episode)
        self.count += 1
        if alert.status is AlertStatus.RESOLVED:
            if known is None or known.status is AlertStatus.RESOLVED:
                if alert.undated and self._end_all_of(alert):
                    return "resolved"
                self._repeated(episode, 1)
                return ""
            self._alerts[episode] = alert
            return "resolved"
        if known is None and episode in mine and len(self._alerts) < MAX_MEMBERS:
            self._alerts[episode] = alert
            self.firings += 1
            return "new"
        if known is None and len(self._alerts) < MAX_MEMBERS:
            first_time = episode not in self._refused
            self._refused.add(episode)
            if not first_time:
                self._repeated(episode, 1)
            return "taken" if first_time else ""
        self.firings += 1
        self._repeated(episode, 1)
        if known is not None:
            self._alerts[episode] = alert
        return ""

    def _end_all_of(self, end: Alert) -> bool:
        """Let every episode of a condition end, because the source does not say which one did. Whether any did."""
        ended = {
            episode: one.model_copy(update={"status": end.status, "ends_at": end.ends_at})
            for episode, one in self._alerts.items()
            if one.status is AlertStatus.FIRING and one.condition == end.condition
        }
        self._alerts |= ended
        return bool(ended)

    def _repeated(self, episode: str, times: int) -> None:
        place = episode if episode in self._repeats or len(self._repeats) < MAX_MEMBERS else OTHERS
        self._repeats[place] = self._repeats.get(place, 0) + times
