"""The broker's queues and Celery's settings, chosen so that no message is lost while the journal
waits for it.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from amqp.exceptions import MessageNacked
from celery import Celery
from kombu import Exchange
from kombu import Queue as BrokerQueue
from kombu.exceptions import KombuError

from jackfield_celery.transport import DEAD, TRIAL, Amqp, Broker, transport_of
from jackfield_celery.urls import check

TASK = "jackfield.run"
QUEUE = "jackfield"
DELIVERY_LIMIT = 5
"""Number of deliveries of one message without an acknowledgement after which RabbitMQ moves it to
``jackfield.dead``.
"""
_VISIBILITY = 1200
"""Seconds after which Redis delivers an unacknowledged message again; longer than any invocation
may run.
"""
_DIRECT = Exchange("", type="direct")
_HEARTBEAT = 10
_CONNECT_WITHIN = 4
_ANSWER_WITHIN = 2.0
"""Seconds for Redis to accept a connection, or answer a command, before the connection is
closed.
"""
_LOOK_EVERY = 1.0
"""Seconds between checks whether Redis still answers a waiting worker, and the maximum delay of a
message. Only this check notices a network that drops bytes without closing the connection. With the
pauses between tries, all works five seconds after the network is back.
"""
_PROBE = 1.0
"""Seconds that a probe waits for the broker."""


def queues(url: str) -> list[BrokerQueue]:
    """Return the queues of invocations and of dead letters."""
    quorum, limit = {}, {}
    if _is_amqp(url):
        quorum = {"x-queue-type": "quorum"}
        limit = {
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": DEAD,
        }
    return [
        BrokerQueue(
            QUEUE, _DIRECT, routing_key=QUEUE, durable=True, queue_arguments={**quorum, **limit}
        ),
        BrokerQueue(DEAD, _DIRECT, routing_key=DEAD, durable=True, queue_arguments=quorum),
    ]


def new_app(url: str) -> Celery:
    """Create the Celery application of one process.

    :raises InvalidInvocation: if the URL is wrong.
    """
    check(url)
    main, dead = queues(url)
    app = Celery("jackfield", broker=url, amqp=Amqp, set_as_current=False, fixups=[])
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=_CONNECT_WITHIN,
        broker_heartbeat=_HEARTBEAT if _is_amqp(url) else 0,
        broker_transport=transport_of(url),
        broker_transport_options=_transport_options(url),
        broker_use_ssl=_tls(url),
        control_queue_exclusive=_is_amqp(url),
        task_acks_late=True,
        task_create_missing_queues=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_queues=[main, dead],
        task_reject_on_worker_lost=True,
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_detect_quorum_queues=True,
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    return app


def _is_amqp(url: str) -> bool:
    return url.startswith("amqp")


def _transport_options(url: str) -> dict[str, Any]:
    if _is_amqp(url):
        # the publisher waits for the confirmations of many messages at once
        return {"confirm_publish": False}
    return {
        "visibility_timeout": _VISIBILITY,
        "socket_timeout": _ANSWER_WITHIN,
        "socket_connect_timeout": _ANSWER_WITHIN,
        "health_check_interval": _LOOK_EVERY,
    }


def warning(url: str) -> str | None:
    """Try the queue's steps over a new connection, for a second: connect, and publish a message in
    a place without readers. Return the fault if the broker does not answer, or accepts no messages,
    such as one whose memory or disk is full, or a replica; else None.
    """
    short = {**_transport_options(url), "socket_timeout": _PROBE, "socket_connect_timeout": _PROBE}
    options = {
        "transport": transport_of(url),
        "transport_options": short,
        "ssl": _tls(url),
        "connect_timeout": _PROBE,
    }
    connection = Broker(url, heartbeat=0, **options)
    errors = (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)
    try:
        connection.ensure_connection(
            max_retries=max(1, len(connection.alt) - 1),
            interval_start=0,
            timeout=_PROBE / 2,
            reraise_as_library_errors=False,
        )
        refusal = _refusal(connection, url)
    except errors as error:
        return (
            f"the broker is unavailable ({type(error).__name__}): queued invocations wait in "
            "the journal"
        )
    finally:
        with suppress(*errors):
            # closes it without a word that a broker which reads nothing would have to answer
            connection.collect(_PROBE)
    if refusal is None:
        return None
    return (
        f"the broker answers and takes no messages ({refusal}): queued invocations wait in the "
        "journal. Look at its memory, its disk, and whether it is a replica"
    )


def _refusal(connection: Broker, url: str) -> str | None:
    """Return why a broker accepts or delivers no messages; None if it does both. The published
    message is dropped at once: it is for no queue, or consumed again.
    """
    channel = connection.channel()
    if _is_amqp(url):
        message = channel.prepare_message("", content_encoding="utf-8")
        try:
            # with an alarm, a node still takes the first message of a connection
            for _ in range(2):
                channel.basic_publish_confirm(
                    message, exchange="", routing_key=TRIAL, confirm_timeout=_PROBE
                )
        except MessageNacked:
            return "it refuses them"
        except connection.channel_errors as error:  # the user may not publish
            return str(error)[:200]
        except TimeoutError:  # and reads nothing more of who publishes
            return "it blocks who publishes"
        return None
    try:
        # takes it at once
        channel.client.pipeline().llen(QUEUE).lpush(TRIAL, "").brpop(TRIAL, 1).delete(
            TRIAL
        ).execute()
    except channel.ResponseError as error:
        # OOM, READONLY, MISCONF, NOREPLICAS, NOPERM; WRONGTYPE of what is no queue
        return str(error)[:200]
    return None


def _tls(url: str) -> dict[str, Any] | None:
    """Return settings that verify the broker's certificate and name, which drivers do not verify by
    default; None without TLS.
    """
    parts = urlsplit(url)
    if parts.scheme == "amqps":
        return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parts.query):
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return None
