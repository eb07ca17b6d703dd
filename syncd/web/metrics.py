"""``/metrics``, for Prometheus. No secret and no key names: a key may say what nobody outside should know."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from aiohttp.web import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily as Counter
from prometheus_client.metrics_core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import HistogramMetricFamily as Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from syncd.core.delivery import DeliveryState
from syncd.daemon.answers import LiveDrills, LiveSnapshots, LiveStatus
from syncd.daemon.door import Door
from syncd.daemon.latency import BUCKETS
from syncd.daemon.line import Standings
from syncd.web import answers
from syncd.web.calls import Call


async def metrics(door: Door, call: Call) -> Response:
    """Tell every metric as it is now."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(Snapshot(door, await door.status.read(), len(call.connection.all), call.connection.all.shed))
    return answers.body(generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4)


class Snapshot(Collector):
    """The daemon's metrics at one moment."""

    def __init__(self, door: Door, status: LiveStatus, connections: int, shed: int) -> None:
        self._door = door
        self._status = status
        self._connections = connections
        self._shed = shed

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from self._state()
        yield from self._work()
        yield from self._subscribers(self._door.dispatcher.standings())
        yield self._latency()
        yield from self._callers()
        yield from self._snapshots()
        yield from self._drills()

    def _state(self) -> Iterator[Metric]:
        status = self._status
        yield _labelled("syncd_build_info", "The version that runs.", ["version"], [([status.version], 1)])
        yield Gauge("syncd_uptime_seconds", "Since the daemon began.", status.uptime)
        yield Gauge("syncd_ready", "1 once a whole revision is published.", status.ready)
        yield Gauge("syncd_leading", "1 while this node may write.", status.role == "leading")
        yield Gauge("syncd_paused", "1 while a person has ordered that nothing is written.", status.role == "paused")
        yield Gauge("syncd_git_ahead_seconds", "For how long the branch has been ahead of the store.", status.ahead)
        yield Gauge("syncd_last_success_timestamp_seconds", "When a pass last found all well.", status.last_success)
        yield Gauge("syncd_keys", "Keys as of the last whole revision.", status.keys)
        yield Gauge("syncd_drift_keys", "Keys that are not what the applied commit says.", status.drift.count)

    def _work(self) -> Iterator[Metric]:
        last, passes = self._status.last, self._door.passes
        sizes = [([operation], count) for operation, count in last.counts.items()]
        yield _labelled("syncd_plan_changes", "Changes in the last plan.", ["operation"], sizes)
        yield Gauge("syncd_plan_withheld", "Deletes in the last plan that wait for an approval.", last.withheld)
        yield Gauge("syncd_plan_refusals", "Guards that refuse the last plan.", len(last.refusals))
        ended = Counter("syncd_passes", "Passes by how they ended.", labels=["result"])
        for result, count in passes.results.items():
            ended.add_metric([result], count)
        yield ended
        yield Counter("syncd_cas_conflicts", "Passes that lost a compare-and-set and began anew.", passes.conflicts)
        yield Counter("syncd_watch_wakes", "Answers of parked watches on the store.", self._door.observer.wakes)

    def _subscribers(self, standings: Iterable[Standings]) -> Iterator[Metric]:
        now = self._door.now()
        depth = Gauge("syncd_subscriber_queue_depth", "Events that it has not been told.", labels=["subscriber"])
        age = Gauge("syncd_subscriber_queue_age_seconds", "Age of the oldest of them.", labels=["subscriber"])
        disabled = Gauge("syncd_subscriber_disabled", "1 once it said that it wants no more.", labels=["subscriber"])
        ended = Counter("syncd_deliveries", "Tries by how they ended.", labels=["subscriber", "outcome"])
        for each in standings:
            depth.add_metric([each.name], each.behind)
            age.add_metric([each.name], max(0.0, now - each.since) if each.since else 0.0)
            disabled.add_metric([each.name], each.state == DeliveryState.DISABLED)
            for outcome in ("delivered", "failed", "exhausted"):
                ended.add_metric([each.name, outcome], getattr(each, outcome))
        yield from (depth, age, disabled, ended)

    def _latency(self) -> Metric:
        dispatcher = self._door.dispatcher
        bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
        buckets = list(zip(bounds, accumulate(map(float, dispatcher.latency.counts)), strict=True))
        said = "From publishing to acknowledgement."
        return Histogram("syncd_delivery_latency_seconds", said, buckets, dispatcher.latency.total)

    def _callers(self) -> Iterator[Metric]:
        streams = self._door.streams
        yield Gauge("syncd_streams", "Clients that follow the event stream.", len(streams))
        yield Counter("syncd_streams_dropped", "Clients that were dropped because they did not read.", streams.dropped)
        yield Gauge("syncd_http_connections", "Open HTTP connections.", self._connections)
        yield Counter("syncd_http_connections_shed", "Connections that were one too many.", self._shed)

    def _snapshots(self) -> Iterator[Metric]:
        found = self._status.snapshots
        if found is not None:
            yield Gauge("syncd_snapshot_last_success_timestamp_seconds", "When the newest one was taken.", found.last)
            yield Gauge("syncd_snapshot_bytes", "Size of the newest one.", found.size)
            yield from _scheduled("snapshot", found)

    def _drills(self) -> Iterator[Metric]:
        found = self._status.drills
        if found is not None:
            yield Gauge("syncd_drill_last_success_timestamp_seconds", "When a scheduled one last passed.", found.last)
            yield from _scheduled("drill", found)


def _scheduled(what: str, found: LiveSnapshots | LiveDrills) -> Iterator[Metric]:
    yield Gauge(f"syncd_{what}_last_try_timestamp_seconds", "When this node last tried.", found.tried)
    yield Gauge(f"syncd_{what}_next_timestamp_seconds", "When the next one is due.", found.next)
    yield Gauge(f"syncd_{what}_late", "1 while the one that is due is not done two hours later.", found.late)
    yield Gauge(f"syncd_{what}_failing", "1 while the last try failed, or it is late.", found.trouble is not None)
    yield Counter(f"syncd_{what}_failures", "Tries of this node that failed.", found.failures)


def _labelled(name: str, says: str, labels: list[str], rows: Iterable[tuple[list[str], float]]) -> Metric:
    found = Gauge(name, says, labels=labels)
    for values, number in rows:
        found.add_metric(values, number)
    return found
