/* audit.h - whether every item came through: once, whole, and in order.
 *
 * The items of a run are numbered from 1, and dealt out: of P producers, p
 * makes the items p, p + P, p + 2P, … in this order. Producers and consumers
 * note each step here. What may not be is noted at once (audit_wrong): an item
 * that is damaged or that nobody put, one that came a second time, one that
 * was overtaken by a later one of the same producer. audit_judge() finds in
 * the end what is missing, and whether deaths explain it.
 *
 * It knows nothing of the buffer, and believes nothing that the buffer says.
 * It lies in memory that all share, threads or processes. Any of them may be
 * killed at any point: marks are single atomic bytes.
 */
#ifndef UNIXIPC_P07_PRODCONS_CMD_AUDIT_H
#define UNIXIPC_P07_PRODCONS_CMD_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_MEMBERS_MAX 1000
#define AUDIT_ITEMS_MAX UINT64_C(100000000)

struct audit; /* what all share */

/* What goes through the buffer. */
struct audit_item {
	uint32_t producer; /* 1 … */
	uint32_t check;    /* of the other two: halves do not mix */
	uint64_t sequence; /* of this producer, from 1 */
};
_Static_assert(sizeof(struct audit_item) == 16, "it is in shared memory");

/* Items that are missing in the end; counts, and the first few. */
#define AUDIT_LISTED 8
struct audit_loss {
	uint64_t count;
	uint64_t number[AUDIT_LISTED];
};

struct audit_verdict {
	uint64_t produced, consumed;
	struct audit_loss unmade; /* its producer had not come to it */
	struct audit_loss unput;  /* its producer was putting it */
	struct audit_loss gone;   /* put, and not consumed */
	bool is_explained;        /* by those who died */
	char wrong[160];          /* what may not be, the first of it, or "" */
};

/* Who did not come to the end of a run. */
struct audit_deaths {
	uint32_t producers; /* killed, or left without a consumer */
	uint32_t consumers;
	uint64_t left; /* items in the buffer, with nobody to take them */
};

/* How many bytes it takes; 0 for counts beyond the limits. */
size_t audit_bytes(uint32_t producers, uint64_t items);

/* Begin, in zeroed memory of that size. */
struct audit *audit_init(void *memory, uint32_t producers, uint64_t items);

/* How many items a producer makes. */
uint64_t audit_share(const struct audit *audit, uint32_t producer);
uint64_t audit_number(const struct audit *audit, const struct audit_item *item);

/* Producer: make an item; and note that it has been put. */
struct audit_item audit_produce(struct audit *audit, uint32_t producer,
				uint64_t sequence);
void audit_put(struct audit *audit, const struct audit_item *item);

/* Consumer: before it takes, with room for one number for each producer; and
 * when it has taken. Returns the item's number, or 0 for one that cannot be. */
void audit_before(struct audit *audit, uint64_t *seen);
uint64_t audit_taken(struct audit *audit, const uint64_t *seen,
		     uint32_t consumer, const struct audit_item *item);

/* How many steps there have been: it stands still only when all do. */
uint64_t audit_steps(const struct audit *audit);

/* In the end, when nobody is at work any more. Each producer that died can
 * explain items that it did not make, and one that it was putting, and each
 * consumer that died one item. */
void audit_judge(struct audit *audit, const struct audit_deaths *deaths,
		 struct audit_verdict *verdict);

#endif
