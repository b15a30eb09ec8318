// readerwriterqueue: a list of blocks that could grow and is kept from it; and
// of the same package the ring whose sides can sleep.
#include <readerwriterqueue/readerwritercircularbuffer.h>
#include <readerwriterqueue/readerwriterqueue.h>

#include "p15-spsc/bench/peer.hh"

namespace
{
template <size_t words> class Queue
{
	moodycamel::ReaderWriterQueue<Item<words>> q;

      public:
	explicit Queue(size_t capacity) : q(capacity)
	{
	}
	bool push(const Item<words> &item)
	{
		return q.try_enqueue(item);
	}
	bool pop(Item<words> &item)
	{
		return q.try_dequeue(item);
	}
	size_t push_many(const Item<words> *, size_t)
	{
		return 0;
	}
	size_t pop_many(Item<words> *, size_t)
	{
		return 0;
	}
};

template <size_t words> class Waiting
{
	moodycamel::BlockingReaderWriterCircularBuffer<Item<words>> q;

      public:
	explicit Waiting(size_t capacity) : q(capacity)
	{
	}
	bool push(const Item<words> &item)
	{
		q.wait_enqueue(item);
		return true;
	}
	bool pop(Item<words> &item)
	{
		q.wait_dequeue(item);
		return true;
	}
	size_t push_many(const Item<words> *, size_t)
	{
		return 0;
	}
	size_t pop_many(Item<words> *, size_t)
	{
		return 0;
	}
};
} // namespace

PEER(peer_rwq, Queue, "rwq", "readerwriterqueue", peer_takes_single);
PEER(peer_rwq_waiting, Waiting, "rwq-waiting", "readerwriterqueue, sleeping",
     peer_takes_single);
