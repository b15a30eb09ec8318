/* A partner that scribbles over all the memory, header, indices and items,
 * between any two of our calls: each returns, in bounded time, and touches no
 * byte outside of the queue (the memory is no byte larger, so that the sanitizer
 * sees it).
 *
 * The input: a byte for the size of items, one for the capacity, and then calls,
 * a byte each. The call SCRIBBLE is followed by an offset of two bytes, a length
 * of one, and so many bytes. */
#include "p15-spsc/spsc.h"

#include <stdlib.h>

enum { ITEM_MAX = 40, CAPACITY_BITS = 5, BATCH = 7 };

enum call {
	PUSH,
	PUT,
	FLUSH,
	PUSH_MANY,
	RESERVE,
	POP,
	POP_MANY,
	FRONT,
	CONSUMER_FLUSH,
	WAIT_TO_PUSH,
	WAIT_TO_POP,
	ATTACH_AGAIN,
	SCRIBBLE,
	CALLS
};

struct subject {
	unsigned char *memory;
	size_t bytes;
	uint64_t item_bytes, capacity;
	struct spsc_producer p;
	struct spsc_consumer c;
	int has_p, has_c;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

/* A slot, whole, and nothing else of the memory. */
static void must_be_slot(const struct subject *s, const void *slot)
{
	const unsigned char *first = s->memory + sizeof(struct spsc);
	const unsigned char *at = slot;

	must(at >= first && at + s->item_bytes <= s->memory + s->bytes);
	must((size_t)(at - first) % s->item_bytes == 0);
}

static void produce(struct subject *s, enum call call)
{
	unsigned char items[ITEM_MAX * BATCH] = {0};
	ssize_t n;
	void *slot;

	switch (call) {
	case PUSH:
		spsc_try_push(&s->p, items, s->item_bytes);
		break;
	case PUT:
		spsc_try_put(&s->p, items, s->item_bytes);
		break;
	case FLUSH:
		spsc_flush(&s->p);
		break;
	case PUSH_MANY:
		n = spsc_try_push_many(&s->p, items, BATCH);
		must(n <= BATCH && n <= (ssize_t)s->capacity);
		break;
	case RESERVE:
		if (spsc_try_reserve(&s->p, &slot))
			break;
		must_be_slot(s, slot);
		memset(slot, 1, s->item_bytes);
		spsc_commit(&s->p);
		break;
	default: /* the deadline is over */
		spsc_push_until(&s->p, items, s->item_bytes, 0);
		break;
	}
}

static void consume(struct subject *s, enum call call)
{
	unsigned char items[ITEM_MAX * BATCH];
	const void *slot;
	ssize_t n;

	switch (call) {
	case POP:
		spsc_try_pop(&s->c, items, s->item_bytes);
		break;
	case POP_MANY:
		n = spsc_try_pop_many(&s->c, items, BATCH);
		must(n <= BATCH && n <= (ssize_t)s->capacity);
		break;
	case FRONT:
		if (spsc_try_front(&s->c, &slot))
			break;
		must_be_slot(s, slot);
		memcpy(items, slot, s->item_bytes);
		spsc_release(&s->c);
		break;
	case CONSUMER_FLUSH:
		spsc_consumer_flush(&s->c);
		break;
	default:
		spsc_pop_until(&s->c, items, s->item_bytes, 0);
		break;
	}
}

/* As after a restart. It is refused, or there is a queue of the size that the
 * memory has room for. */
static void attach(struct subject *s)
{
	if (s->has_p)
		spsc_producer_close(&s->p);
	if (s->has_c)
		spsc_consumer_close(&s->c);
	s->has_p = !spsc_producer_attach(&s->p, s->memory, s->bytes,
					 s->item_bytes);
	s->has_c = !spsc_consumer_attach(&s->c, s->memory, s->bytes,
					 s->item_bytes);
	if (s->has_p)
		must(sizeof(struct spsc) + (s->p.mask + 1) * s->item_bytes <=
		     s->bytes);
	if (s->has_c)
		must(sizeof(struct spsc) + (s->c.mask + 1) * s->item_bytes <=
		     s->bytes);
}

/* How many bytes of the input it took. */
static size_t scribble(struct subject *s, const uint8_t *data, size_t size)
{
	size_t at, len;

	if (size < 3)
		return size;
	at = ((size_t)data[0] | (size_t)data[1] << 8) % s->bytes;
	len = data[2];
	data += 3;
	size -= 3;
	if (len > size)
		len = size;
	for (size_t i = 0; i < len && at + i < s->bytes; i++)
		s->memory[at + i] = data[i];
	return 3 + len;
}

static void play(struct subject *s, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size;) {
		enum call call = data[i++] % CALLS;

		if (call == SCRIBBLE)
			i += scribble(s, data + i, size - i);
		else if (call == ATTACH_AGAIN)
			attach(s);
		else if (call <= RESERVE || call == WAIT_TO_PUSH)
			s->has_p ? produce(s, call) : (void)0;
		else if (s->has_c)
			consume(s, call);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subject s = {0};
	void *memory = NULL;

	if (size < 2)
		return 0;
	s.item_bytes = 1 + data[0] % ITEM_MAX;
	s.capacity = UINT64_C(1) << data[1] % (CAPACITY_BITS + 1);
	s.bytes = spsc_bytes(s.item_bytes, s.capacity);
	must(posix_memalign(&memory, SPSC_LINE, s.bytes) == 0);
	s.memory = memory;
	must(spsc_init(memory, s.bytes, s.item_bytes, s.capacity) == 0);
	attach(&s);
	must(s.has_p && s.has_c);
	play(&s, data + 2, size - 2);
	free(memory);
	return 0;
}
