/* textbook.h - the bounded buffer as books have it, to measure beside ours.
 *
 * One mutex, two condition variables, a signal for every item (UNP2 7.5, OSTEP
 * 30.2). Items are of 16 bytes, as in the bench. For threads of one process.
 */
#ifndef UNIXIPC_P07_PRODCONS_BENCH_TEXTBOOK_H
#define UNIXIPC_P07_PRODCONS_BENCH_TEXTBOOK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct textbook_item {
	uint64_t producer, sequence;
};

struct textbook {
	pthread_mutex_t lock;
	pthread_cond_t not_full, not_empty;
	size_t capacity, first, count;
	struct textbook_item *slot;
};

/* Returns 0 or -ENOMEM. */
int textbook_init(struct textbook *buffer, size_t capacity);
void textbook_fini(struct textbook *buffer);

void textbook_put(struct textbook *buffer, const struct textbook_item *item);
void textbook_take(struct textbook *buffer, struct textbook_item *item);

#endif
