// Boost.Lockfree, with a size given at run time, as ours has it.
#include <boost/lockfree/spsc_queue.hpp>

#include "p15-spsc/bench/peer.hh"

namespace
{
template <size_t words> class Queue
{
	boost::lockfree::spsc_queue<Item<words>> q;

      public:
	explicit Queue(size_t capacity) : q(capacity)
	{
	}
	bool push(const Item<words> &item)
	{
		return q.push(item);
	}
	bool pop(Item<words> &item)
	{
		return q.pop(item);
	}
	size_t push_many(const Item<words> *items, size_t n)
	{
		return q.push(items, n);
	}
	size_t pop_many(Item<words> *items, size_t n)
	{
		return q.pop(items, n);
	}
};
} // namespace

PEER(peer_boost, Queue, "boost", "Boost.Lockfree spsc_queue", peer_takes);
