"""Which history of a book a stream reads: a restored book has another one."""

from pathbook.v1 import events_pb2


class History:
    """The incarnation that the last batch of a stream named. It is sent when the stream is opened again."""

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation

    def next_after(self, batch: events_pb2.ReadResponse | events_pb2.SubscribeResponse) -> int:
        """Remember the incarnation of a batch, and return the position to go on after."""
        self.incarnation = batch.incarnation or self.incarnation  # older servers send none
        return batch.next_after_position
