/* The parts of the queue that need not be fast: making it, taking and giving
 * up a role, and batches.
 *
 *	tail - head        items in the queue, 0 … capacity, modulo 2^64
 *	index & mask       slot of an item; mask is capacity - 1
 *
 * The header is read once, checked, and copied into the handle: from then on
 * only the two indices and the flags of the other side are looked at. */
#include "p15-spsc/spsc.h"

#include "p15-spsc/internal.h"

#define VERSION 2
#define ITEM_BYTES_MAX (UINT64_C(1) << 40)
#define DEFER 32
#define LAG 1024
#define STRIDE_BYTES 512
#define AHEAD_BYTES 2048 /* some 30 lines on their way, as many as can be */

/* Against accidents: what is left of another program, a half-written header. */
static uint64_t check_of(uint64_t item_bytes, uint64_t capacity, uint32_t roles)
{
	uint64_t check =
		UINT64_C(0x9e3779b97f4a7c15) ^ VERSION ^ (uint64_t)roles << 32;

	check = (check ^ item_bytes) * UINT64_C(0xbf58476d1ce4e5b9);
	check = (check ^ check >> 32 ^ capacity) * UINT64_C(0x94d049bb133111eb);
	return check ^ check >> 29;
}

size_t spsc_bytes(uint64_t item_bytes, uint64_t capacity)
{
	uint64_t slots;

	if (item_bytes == 0 || item_bytes > ITEM_BYTES_MAX || capacity == 0 ||
	    capacity > SPSC_CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
		return 0;
	if (__builtin_mul_overflow(item_bytes, capacity, &slots) ||
	    slots > SIZE_MAX / 2)
		return 0;
	return sizeof(struct spsc) + (size_t)slots;
}

int spsc_init(void *memory, size_t bytes, uint64_t item_bytes,
	      uint64_t capacity)
{
	return spsc_init_at(memory, bytes, item_bytes, capacity, 0);
}

void spsc_fill(struct spsc *shared, uint64_t item_bytes, uint64_t capacity,
	       enum spsc_roles roles, uint64_t first)
{
	memset(shared, 0, sizeof(*shared));
	shared->version = VERSION;
	shared->item_bytes = item_bytes;
	shared->capacity = capacity;
	shared->roles = roles;
	shared->check = check_of(item_bytes, capacity, roles);
	if (roles == SPSC_BY_WORD)
		spsc_role_note_place(shared);
	shared->tail = first;
	shared->head = first;
}

int spsc_init_at(void *memory, size_t bytes, uint64_t item_bytes,
		 uint64_t capacity, uint64_t first)
{
	size_t needed = spsc_bytes(item_bytes, capacity);
	struct spsc *shared = (struct spsc *)memory;

	if (!needed || bytes < needed || (uintptr_t)memory % SPSC_LINE != 0)
		return -EINVAL;
	spsc_fill(shared, item_bytes, capacity, SPSC_BY_WORD, first);
	/* Last, so that nothing half-made looks like a queue. How others learn
	 * of the memory (fork, a file's name) orders the rest. */
	shared->magic = SPSC_MAGIC;
	return 0;
}

/* ---- roles ------------------------------------------------------------------- */

/* *capacity is trustworthy then. */
int spsc_validate(const struct spsc *shared, size_t bytes, uint64_t item_bytes,
		  enum spsc_roles roles, uint64_t *capacity)
{
	struct spsc header;
	size_t needed;

	if ((uintptr_t)shared % SPSC_LINE != 0)
		return -EINVAL;
	if (bytes < sizeof(*shared))
		return -EBADMSG;
	/* A copy, so that it cannot change between the check and the use. */
	memcpy(&header, shared, offsetof(struct spsc, place));
	if (header.magic != SPSC_MAGIC)
		return -EBADMSG;
	if (header.version != VERSION)
		return -EPROTONOSUPPORT;
	needed = spsc_bytes(header.item_bytes, header.capacity);
	if (!needed || needed > bytes ||
	    header.check !=
		    check_of(header.item_bytes, header.capacity, header.roles))
		return -EBADMSG;
	if (header.roles != (uint32_t)roles)
		return -EACCES;
	if (header.item_bytes != item_bytes)
		return -EMSGSIZE;
	*capacity = header.capacity;
	return 0;
}

/* Both indices, which are sound towards each other, one of them being ours. */
static int find_place(struct spsc *shared, uint64_t capacity, uint64_t *tail,
		      uint64_t *head)
{
	/* Acquire: see spsc_find_room() and spsc_find_items(). The head first:
	 * the consumer may go on meanwhile, and must not seem to be ahead. */
	*head = __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE);
	*tail = __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE);
	return *tail - *head > capacity ? -EBADMSG : 0;
}

int spsc_produce(struct spsc_producer *producer, struct spsc *shared,
		 uint64_t item_bytes, uint64_t capacity)
{
	uint64_t tail, head;
	int error = find_place(shared, capacity, &tail, &head);

	if (error)
		return error;
	*producer = (struct spsc_producer){
		.shared = shared,
		.slots = (unsigned char *)shared + sizeof(struct spsc),
		.mask = capacity - 1,
		.item_bytes = item_bytes,
		.tail = tail,
		.limit = tail,
		.room = head + capacity,
		.published = tail,
		.defer = capacity / 4 > DEFER ? DEFER
			 : capacity / 4       ? capacity / 4
					      : 1,
		.stride = STRIDE_BYTES > item_bytes ? STRIDE_BYTES / item_bytes
						    : 1,
		.ahead = AHEAD_BYTES / item_bytes,
		.claimed = tail,
		.is_fenced = spsc_join(shared, SPSC_PRODUCER),
	};
	return 0;
}

int spsc_consume(struct spsc_consumer *consumer, struct spsc *shared,
		 uint64_t item_bytes, uint64_t capacity)
{
	uint64_t tail, head;
	int error = find_place(shared, capacity, &tail, &head);

	if (error)
		return error;
	*consumer = (struct spsc_consumer){
		.shared = shared,
		.slots = (unsigned char *)shared + sizeof(struct spsc),
		.mask = capacity - 1,
		.item_bytes = item_bytes,
		.head = head,
		.limit = tail,
		.released = head,
		.slack = capacity / 8 ? capacity / 8 : 1,
		.lag = capacity / 16 < LAG ? capacity / 16 : LAG,
		.is_fenced = spsc_join(shared, SPSC_CONSUMER),
	};
	return 0;
}

int spsc_producer_attach(struct spsc_producer *producer, void *memory,
			 size_t bytes, uint64_t item_bytes)
{
	struct spsc *shared = (struct spsc *)memory;
	uint64_t capacity = 0, owner = 0;
	int error = spsc_validate(shared, bytes, item_bytes, SPSC_BY_WORD,
				  &capacity);

	if (!error)
		error = spsc_role_claim(shared, SPSC_PRODUCER, &owner);
	if (error)
		return error;
	error = spsc_produce(producer, shared, item_bytes, capacity);
	if (error)
		spsc_role_give_up(shared, SPSC_PRODUCER, owner, NULL);
	else
		producer->owner = owner;
	return error;
}

int spsc_consumer_attach(struct spsc_consumer *consumer, void *memory,
			 size_t bytes, uint64_t item_bytes)
{
	struct spsc *shared = (struct spsc *)memory;
	uint64_t capacity = 0, owner = 0;
	int error = spsc_validate(shared, bytes, item_bytes, SPSC_BY_WORD,
				  &capacity);

	if (!error)
		error = spsc_role_claim(shared, SPSC_CONSUMER, &owner);
	if (error)
		return error;
	error = spsc_consume(consumer, shared, item_bytes, capacity);
	if (error)
		spsc_role_give_up(shared, SPSC_CONSUMER, owner, NULL);
	else
		consumer->owner = owner;
	return error;
}

int spsc_producer_adopt(struct spsc_producer *producer)
{
	return producer->seat ? 0
			      : spsc_role_adopt(producer->shared, SPSC_PRODUCER,
						&producer->owner);
}

int spsc_consumer_adopt(struct spsc_consumer *consumer)
{
	return consumer->seat ? 0
			      : spsc_role_adopt(consumer->shared, SPSC_CONSUMER,
						&consumer->owner);
}

void spsc_producer_forget(struct spsc_producer *producer)
{
	spsc_role_forget(producer->shared, producer->seat);
	*producer = (struct spsc_producer){0};
}

void spsc_consumer_forget(struct spsc_consumer *consumer)
{
	spsc_role_forget(consumer->shared, consumer->seat);
	*consumer = (struct spsc_consumer){0};
}

void spsc_producer_close(struct spsc_producer *producer)
{
	if (!producer->shared)
		return;
	spsc_flush(producer);
	spsc_leave(producer->shared, SPSC_PRODUCER);
	spsc_role_give_up(producer->shared, SPSC_PRODUCER, producer->owner,
			  producer->seat);
	spsc_producer_forget(producer);
}

void spsc_consumer_close(struct spsc_consumer *consumer)
{
	if (!consumer->shared)
		return;
	spsc_consumer_flush(consumer);
	spsc_leave(consumer->shared, SPSC_CONSUMER);
	spsc_role_give_up(consumer->shared, SPSC_CONSUMER, consumer->owner,
			  consumer->seat);
	spsc_consumer_forget(consumer);
}

uint64_t spsc_count(const struct spsc *shared)
{
	/* Relaxed, and the head first: an estimate, never below what was there
	 * all the time, and never more than fits. */
	uint64_t head = __atomic_load_n(&shared->head, __ATOMIC_RELAXED);
	uint64_t n = __atomic_load_n(&shared->tail, __ATOMIC_RELAXED) - head;

	return n > shared->capacity ? shared->capacity : n;
}

/* ---- batches ------------------------------------------------------------------ */

/* One copy up to the end of the ring, and one from its beginning. */
ssize_t spsc_try_push_many(struct spsc_producer *p, const void *items, size_t n)
{
	uint64_t room = p->room - p->tail, first, slot;
	int error;

	if (n == 0)
		return 0;
	if (!spsc_has_consumer(p))
		return -EPIPE;
	if (room < n) {
		error = spsc_find_room(p);
		room = p->room - p->tail;
		if (room == 0)
			return error;
	}
	if (n > room)
		n = (size_t)room;
	slot = p->tail & p->mask;
	first = p->mask + 1 - slot < n ? p->mask + 1 - slot : n;
	memcpy(p->slots + slot * p->item_bytes, items, first * p->item_bytes);
	memcpy(p->slots, (const char *)items + first * p->item_bytes,
	       (n - first) * p->item_bytes);
	p->tail += n;
	spsc_flush(p);
	spsc_stride(p);
	return (ssize_t)n;
}

ssize_t spsc_try_pop_many(struct spsc_consumer *c, void *items, size_t n)
{
	uint64_t there = c->limit - c->head, first, slot;
	int error;

	if (n == 0)
		return 0;
	if (there < n) {
		error = spsc_find_items(c);
		there = c->limit - c->head;
		if (there == 0)
			return error;
	}
	if (n > there)
		n = (size_t)there;
	slot = c->head & c->mask;
	first = c->mask + 1 - slot < n ? c->mask + 1 - slot : n;
	memcpy(items, c->slots + slot * c->item_bytes, first * c->item_bytes);
	memcpy((char *)items + first * c->item_bytes, c->slots,
	       (n - first) * c->item_bytes);
	c->head += n;
	if (c->head - c->released >= c->slack)
		spsc_consumer_flush(c);
	return (ssize_t)n;
}

ssize_t spsc_push_many_until(struct spsc_producer *p, const void *items,
			     size_t n, int64_t deadline)
{
	for (;;) {
		ssize_t done = spsc_try_push_many(p, items, n);
		struct spsc_waited waited;

		if (done != -EAGAIN)
			return done;
		waited = spsc_wait(p->shared, SPSC_PRODUCER,
				   p->room - p->mask - 1, deadline, p->seat,
				   p->peer);
		p->peer = waited.peer;
		if (waited.error)
			return waited.error;
	}
}

ssize_t spsc_pop_many_until(struct spsc_consumer *c, void *items, size_t n,
			    int64_t deadline)
{
	for (;;) {
		ssize_t done = spsc_try_pop_many(c, items, n);
		struct spsc_waited waited;

		if (done != -EAGAIN)
			return done;
		waited = spsc_wait(c->shared, SPSC_CONSUMER, c->head, deadline,
				   c->seat, c->peer);
		c->peer = waited.peer;
		if (waited.error)
			return waited.error;
	}
}
