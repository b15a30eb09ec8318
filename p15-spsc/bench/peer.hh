/* peer.hh - a C++ queue as a contender, made from a class with
 *
 *	Queue(size_t capacity)
 *	bool push(const Item &), bool pop(Item &)
 *	size_t push_many(const Item *, size_t), size_t pop_many(Item *, size_t)
 *
 * for items of 8 and of 64 bytes; round trips of 8 bytes alone. It lives on the
 * heap; the run's memory holds a pointer to it, as both sides are threads.
 */
#ifndef UNIXIPC_P15_SPSC_BENCH_PEER_HH
#define UNIXIPC_P15_SPSC_BENCH_PEER_HH

#include <new>

#include "p15-spsc/bench/loops.h"
#include "p15-spsc/bench/peers.h"

template <size_t words> struct Item {
	uint64_t word[words];
};

template <template <size_t> class Queue, size_t words> struct Peer {
	using It = Item<words>;
	using Q = Queue<words>;

	static inline int push(void *queue, const void *item, size_t)
	{
		return static_cast<Q *>(queue)->push(
			       *static_cast<const It *>(item))
			       ? 0
			       : -EAGAIN;
	}

	static inline int pop(void *queue, void *item, size_t)
	{
		return static_cast<Q *>(queue)->pop(*static_cast<It *>(item))
			       ? 0
			       : -EAGAIN;
	}

	static inline long push_many(void *queue, const void *items, size_t n)
	{
		return static_cast<long>(static_cast<Q *>(queue)->push_many(
			static_cast<const It *>(items), n));
	}

	static inline long pop_many(void *queue, void *items, size_t n)
	{
		return static_cast<long>(static_cast<Q *>(queue)->pop_many(
			static_cast<It *>(items), n));
	}

	static int produce(void *queue, struct contender_run *run)
	{
		if (run->plan.batch > 1)
			return loops_produce_batches(queue, run, words,
						     push_many);
		return loops_produce_words(queue, run, words, push);
	}

	static int consume(void *queue, struct contender_run *run)
	{
		if (run->plan.batch > 1)
			return loops_consume_batches(queue, run, words,
						     pop_many);
		return loops_consume_words(queue, run, words, pop);
	}

	static int lead(void *there, void *back, struct contender_run *run)
	{
		return loops_lead(there, back, run, push, pop);
	}

	static int follow(void *there, void *back, struct contender_run *run)
	{
		return loops_follow(there, back, run, push, pop);
	}
};

struct Holder {
	size_t item_bytes, capacity;
	void *queue;
};

/* What struct contender wants, choosing by the size of an item. */
template <template <size_t> class Queue> struct Contender {
	static size_t bytes(const struct contender_plan *)
	{
		return sizeof(Holder);
	}

	static int make(void *memory, const struct contender_plan *plan)
	{
		Holder *holder = static_cast<Holder *>(memory);

		holder->item_bytes = plan->item_bytes;
		holder->capacity = plan->capacity;
		if (plan->item_bytes == 8)
			holder->queue = new (std::nothrow)
				Queue<1>(plan->capacity);
		else
			holder->queue = new (std::nothrow)
				Queue<8>(plan->capacity);
		return holder->queue ? 0 : -ENOMEM;
	}

	static void unmake(void *memory)
	{
		Holder *holder = static_cast<Holder *>(memory);

		if (holder->item_bytes == 8)
			delete static_cast<Queue<1> *>(holder->queue);
		else
			delete static_cast<Queue<8> *>(holder->queue);
	}

	static void *in(void *memory)
	{
		return static_cast<Holder *>(memory)->queue;
	}

	static int produce(void *memory, struct contender_run *run)
	{
		return run->plan.item_bytes == 8
			       ? Peer<Queue, 1>::produce(in(memory), run)
			       : Peer<Queue, 8>::produce(in(memory), run);
	}

	static int consume(void *memory, struct contender_run *run)
	{
		return run->plan.item_bytes == 8
			       ? Peer<Queue, 1>::consume(in(memory), run)
			       : Peer<Queue, 8>::consume(in(memory), run);
	}

	static int lead(void *there, void *back, struct contender_run *run)
	{
		return Peer<Queue, 1>::lead(in(there), in(back), run);
	}

	static int follow(void *there, void *back, struct contender_run *run)
	{
		return Peer<Queue, 1>::follow(in(there), in(back), run);
	}
};

#define PEER(variable, queue, called, described, can_do)              \
	const struct contender variable = {                           \
		called,                                               \
		described,                                            \
		true,                                                 \
		can_do,                                               \
		Contender<queue>::bytes,                              \
		Contender<queue>::make,                               \
		Contender<queue>::unmake,                             \
		Contender<queue>::produce,                            \
		Contender<queue>::consume,                            \
		Contender<queue>::lead,                               \
		Contender<queue>::follow,                             \
	}

static inline bool peer_takes(const struct contender_plan *plan)
{
	return plan->item_bytes == 8 || plan->item_bytes == 64;
}

static inline bool peer_takes_single(const struct contender_plan *plan)
{
	return peer_takes(plan) && plan->batch == 1;
}

#endif
