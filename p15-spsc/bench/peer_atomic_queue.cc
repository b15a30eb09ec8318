// atomic_queue in its single-producer, single-consumer form, with the size
// known to the compiler, which is its fastest. Items of 8 bytes are atomics
// themselves, and 0 is reserved for an empty slot.
#include <atomic_queue/atomic_queue.h>
#include <type_traits>

#include "p15-spsc/bench/peer.hh"

namespace
{
template <size_t words, unsigned capacity>
using Sized = std::conditional_t<
	words == 1,
	atomic_queue::AtomicQueue<uint64_t, capacity, uint64_t{}, true, true,
				  false, true>,
	atomic_queue::AtomicQueue2<Item<words>, capacity, true, true, false,
				   true>>;

template <unsigned capacity> struct Of {
	template <size_t words> class Queue
	{
		Sized<words, capacity> q;

	      public:
		explicit Queue(size_t)
		{
		}
		bool push(const Item<words> &item)
		{
			if constexpr (words == 1)
				return q.try_push(item.word[0]);
			else
				return q.try_push(item);
		}
		bool pop(Item<words> &item)
		{
			if constexpr (words == 1)
				return q.try_pop(item.word[0]);
			else
				return q.try_pop(item);
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
	using C = Contender<Queue>;
};
using Small = Of<1024>::C;
using Large = Of<65536>::C;

bool can(const struct contender_plan *plan)
{
	return peer_takes_single(plan) &&
	       (plan->capacity == 1024 || plan->capacity == 65536);
}

// The capacity is part of the type: it chooses here.
int make(void *memory, const struct contender_plan *plan)
{
	return plan->capacity == 1024 ? Small::make(memory, plan)
				      : Large::make(memory, plan);
}

void unmake(void *memory)
{
	if (static_cast<Holder *>(memory)->capacity == 1024)
		Small::unmake(memory);
	else
		Large::unmake(memory);
}

int produce(void *memory, struct contender_run *run)
{
	return run->plan.capacity == 1024 ? Small::produce(memory, run)
					  : Large::produce(memory, run);
}

int consume(void *memory, struct contender_run *run)
{
	return run->plan.capacity == 1024 ? Small::consume(memory, run)
					  : Large::consume(memory, run);
}
} // namespace

// Round trips are made with 1024.
const struct contender peer_atomic_queue = {
	"atomic_queue", "atomic_queue", true,          can,
	Large::bytes,   make,           unmake,        produce,
	consume,        Small::lead,    Small::follow,
};
