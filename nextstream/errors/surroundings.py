"""Errors of what is around: servers of ours, and other people's."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError
from nextstream.errors.requests import NotFound


class WebhookNotFound(NotFound):
    """There is no such webhook, or it isn't yours."""

    code = "webhook_not_found"


class TooManyWebhooks(NextStreamError):
    """You have as many webhooks as an account may have; remove one first."""

    code, status = "too_many_webhooks", 409


class AddressRefused(NextStreamError):
    """This address can't be used; give a public http or https address."""

    code, status = "address_refused", 422


class OutsideUnavailable(NextStreamError):
    """The other side can't be reached just now."""

    code, status, retryable = "outside_unavailable", 502, True


class StorageError(NextStreamError):
    """The storage didn't do what was asked."""

    code, status = "storage_error", 502


class StorageUnavailable(StorageError):
    """The storage can't be reached just now."""

    code, status, retryable = "storage_unavailable", 503, True


class ObjectNotFound(StorageError):
    """The storage has no object of this name."""

    code, status = "object_not_found", 404


class DatabaseUnavailable(NextStreamError):
    """The database can't be reached just now."""

    code, status, retryable = "database_unavailable", 503, True


class EventsUnavailable(NextStreamError):
    """The event stream can't be reached just now."""

    code, status, retryable = "events_unavailable", 503, True


class QueueUnavailable(NextStreamError):
    """The task queue can't be reached just now."""

    code, status, retryable = "queue_unavailable", 503, True


class ScalingUnavailable(NextStreamError):
    """Whoever starts and stops workers can't be reached just now."""

    code, status, retryable = "scaling_unavailable", 503, True


class ServiceUnavailable(NextStreamError):
    """A service behind the gateway doesn't answer; try again shortly."""

    code, status, retryable = "service_unavailable", 503, True


class TooManyStreams(NextStreamError):
    """Too many viewers follow videos here; ask for the video itself now and then instead."""

    code, status, retryable = "too_many_streams", 503, True


class ServiceBroken(NextStreamError):
    """A service behind the gateway gave no whole answer; try again shortly."""

    code, status, retryable = "service_broken", 502, True


class ServiceTimeout(NextStreamError):
    """A service behind the gateway took too long to answer."""

    code, status, retryable = "service_timeout", 504, True
