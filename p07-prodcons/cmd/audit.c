/* Layout: the struct, then a number for each producer, then a byte for each
 * item.
 *
 * Order: behind[p] is the last item of p that somebody has taken and noted. A
 * consumer reads it before it takes. If the item that it then gets is not a
 * later one, it was overtaken: the other had left the buffer before this take
 * began, so no delay between take and note can be the reason.
 */
#include "p07-prodcons/cmd/audit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum mark {
	MADE = 1,  /* its producer is about to put it */
	PUT = 2,   /* and has */
	TAKEN = 4, /* and a consumer has it */
};

enum wrong { NOTHING, FOREIGN, UNMADE, TWICE, OVERTAKEN };

struct audit {
	uint32_t producers;
	uint64_t items;
	_Atomic uint64_t steps;
	/* The first to turn it from NOTHING fills in the rest. */
	_Atomic uint32_t wrong;
	uint32_t wrong_consumer;
	struct audit_item wrong_item;
	_Atomic uint64_t behind[]; /* of each producer */
};

/* ---- making one ---- */

size_t audit_bytes(uint32_t producers, uint64_t items)
{
	if (producers == 0 || producers > AUDIT_MEMBERS_MAX || items == 0 ||
	    items > AUDIT_ITEMS_MAX)
		return 0;
	return sizeof(struct audit) + producers * sizeof(uint64_t) + items;
}

struct audit *audit_init(void *memory, uint32_t producers, uint64_t items)
{
	struct audit *audit = memory;

	audit->producers = producers;
	audit->items = items;
	return audit;
}

static _Atomic uint8_t *mark_of(struct audit *audit, uint64_t number)
{
	_Atomic uint8_t *first =
		(_Atomic uint8_t *)(audit->behind + audit->producers);

	return first + (number - 1);
}

uint64_t audit_share(const struct audit *audit, uint32_t producer)
{
	return audit->items < producer
		       ? 0
		       : (audit->items - producer) / audit->producers + 1;
}

uint64_t audit_number(const struct audit *audit, const struct audit_item *item)
{
	return item->producer + (item->sequence - 1) * audit->producers;
}

static uint32_t check_of(uint32_t producer, uint64_t sequence)
{
	/* An odd multiplier spreads every bit over the upper half. */
	uint64_t hash = ((uint64_t)producer << 40 ^ sequence) *
			UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32) ^ producer;
}

/* ---- steps ---- */

/* Relaxed throughout: each mark is about itself, and what is before and after
 * what in two members is for the buffer to order, which is on trial here. The
 * exceptions are said where they are. */
static void step(struct audit *audit)
{
	atomic_fetch_add_explicit(&audit->steps, 1, memory_order_relaxed);
}

struct audit_item audit_produce(struct audit *audit, uint32_t producer,
				uint64_t sequence)
{
	struct audit_item item = {.producer = producer,
				  .check = check_of(producer, sequence),
				  .sequence = sequence};

	atomic_fetch_or_explicit(mark_of(audit, audit_number(audit, &item)),
				 MADE, memory_order_relaxed);
	return item;
}

void audit_put(struct audit *audit, const struct audit_item *item)
{
	atomic_fetch_or_explicit(mark_of(audit, audit_number(audit, item)), PUT,
				 memory_order_relaxed);
	step(audit);
}

static void note_wrong(struct audit *audit, enum wrong wrong, uint32_t consumer,
		       const struct audit_item *item)
{
	uint32_t nothing = NOTHING;

	if (!atomic_compare_exchange_strong(&audit->wrong, &nothing, wrong))
		return;
	audit->wrong_consumer = consumer;
	audit->wrong_item = *item;
}

void audit_before(struct audit *audit, uint64_t *seen)
{
	/* Acquire: that take was over; pairs with the release below. */
	for (uint32_t i = 0; i < audit->producers; i++)
		seen[i] = atomic_load_explicit(&audit->behind[i],
					       memory_order_acquire);
}

/* The later of what stands there and this. */
static void pass(_Atomic uint64_t *behind, uint64_t sequence)
{
	uint64_t last = atomic_load_explicit(behind, memory_order_relaxed);

	while (last < sequence &&
	       !atomic_compare_exchange_weak_explicit(behind, &last, sequence,
						      memory_order_release,
						      memory_order_relaxed))
		;
}

uint64_t audit_taken(struct audit *audit, const uint64_t *seen,
		     uint32_t consumer, const struct audit_item *item)
{
	enum wrong wrong = NOTHING;
	uint64_t number;
	uint8_t mark;

	step(audit);
	if (item->producer == 0 || item->producer > audit->producers ||
	    item->sequence == 0 ||
	    item->sequence > audit_share(audit, item->producer) ||
	    item->check != check_of(item->producer, item->sequence)) {
		note_wrong(audit, FOREIGN, consumer, item);
		return 0;
	}
	number = audit_number(audit, item);
	mark = atomic_fetch_or_explicit(mark_of(audit, number), TAKEN,
					memory_order_relaxed);
	if (!(mark & MADE))
		wrong = UNMADE;
	else if (mark & TAKEN)
		wrong = TWICE;
	else if (item->sequence <= seen[item->producer - 1])
		wrong = OVERTAKEN;
	if (wrong)
		note_wrong(audit, wrong, consumer, item);
	pass(&audit->behind[item->producer - 1], item->sequence);
	return number;
}

uint64_t audit_steps(const struct audit *audit)
{
	return atomic_load_explicit(&audit->steps, memory_order_relaxed);
}

/* ---- the verdict ---- */

static void lose(struct audit_loss *loss, uint64_t number)
{
	if (loss->count < AUDIT_LISTED)
		loss->number[loss->count] = number;
	loss->count++;
}

static void describe_wrong(struct audit *audit, char *buf, size_t size)
{
	const struct audit_item *item = &audit->wrong_item;
	unsigned long long number =
		item->producer ? audit_number(audit, item) : 0;

	switch (atomic_load(&audit->wrong)) {
	case FOREIGN:
		snprintf(buf, size, "C%u took something that is no item",
			 audit->wrong_consumer);
		break;
	case UNMADE:
		snprintf(buf, size,
			 "C%u took item %llu, which P%u has not produced",
			 audit->wrong_consumer, number, item->producer);
		break;
	case TWICE:
		snprintf(buf, size,
			 "C%u took item %llu, which was taken before",
			 audit->wrong_consumer, number);
		break;
	case OVERTAKEN:
		snprintf(buf, size,
			 "C%u took item %llu after a later one of P%u",
			 audit->wrong_consumer, number, item->producer);
		break;
	default:
		buf[0] = '\0';
		break;
	}
}

void audit_judge(struct audit *audit, const struct audit_deaths *deaths,
		 struct audit_verdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	for (uint64_t number = 1; number <= audit->items; number++) {
		uint8_t mark = atomic_load_explicit(mark_of(audit, number),
						    memory_order_relaxed);

		verdict->produced += (mark & PUT) != 0;
		verdict->consumed += (mark & TAKEN) != 0;
		if (mark & TAKEN)
			continue;
		lose(mark & PUT    ? &verdict->gone
		     : mark & MADE ? &verdict->unput
				   : &verdict->unmade,
		     number);
	}
	/* An item whose producer died before it noted the put may have died
	 * with the consumer that took it, or have been left. */
	verdict->is_explained =
		verdict->gone.count <= deaths->consumers + deaths->left &&
		verdict->gone.count + verdict->unput.count <=
			deaths->producers + deaths->consumers + deaths->left &&
		(verdict->unmade.count == 0 || deaths->producers > 0);
	describe_wrong(audit, verdict->wrong, sizeof(verdict->wrong));
}
