"""Reads a topic of Kafka back, as another system would."""

from __future__ import annotations

from confluent_kafka import Consumer, Message, TopicPartition


def read(servers: str, topic: str) -> list[Message]:
    """Give all messages that the topic has now; those of a partition, so of a key, are in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "tests",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,  # the mock cluster waits this long even when it has messages
        }
    )
    try:
        return _read(consumer, _ends(consumer, topic))
    finally:
        consumer.close()


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    """Give the offset after the last message of each partition that has one."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
        for number in partitions
    }
    consumer.assign([TopicPartition(topic, number, 0) for number, end in ends.items() if end])
    return {number: end for number, end in ends.items() if end}


def _read(consumer: Consumer, ends: dict[int, int]) -> list[Message]:
    found: list[Message] = []
    while ends:
        message = consumer.poll(10)
        assert message is not None, "Kafka has a message that it doesn't give"
        assert message.error() is None, message.error()
        found.append(message)
        if message.offset() == ends[message.partition()] - 1:
            del ends[message.partition()]
    return found
