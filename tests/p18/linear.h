/* linear.h - whether a history of one key could have been, had the store done one
 * request after the other, each at some moment between its call and its return
 * (Herlihy and Wing, 1990).
 *
 * It is searched for an order by the algorithm of Wing and Gong (1993), with the
 * memory of what was tried already that Lowe (2017) added: a set of requests
 * that are behind us, and the value that they left. A request whose outcome is
 * unknown may have been done at any moment after its call, or never.
 *
 * Any thread may call; nothing is shared. */
#ifndef UNIXIPC_TESTS_P18_LINEAR_H
#define UNIXIPC_TESTS_P18_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINEAR_MAX = 320 }; /* requests of one key */

enum linear_kind {
	LINEAR_PUT,
	LINEAR_GET,
	LINEAR_DEL,
	LINEAR_CAS,
	LINEAR_CREATE,
	LINEAR_INCR,
};

enum linear_outcome {
	LINEAR_DONE,
	LINEAR_NO, /* nothing found, or another value there */
	LINEAR_UNKNOWN,
};

/* What was surely not done is not in the history: had it been done, others have
 * seen it. */
struct linear_request {
	enum linear_kind kind;
	enum linear_outcome outcome;
	int64_t value;    /* PUT, CAS, CREATE: the new one; INCR: by how much */
	int64_t expected; /* CAS */
	int64_t result;   /* GET: what was there; INCR: the sum */
	int64_t call_ns, return_ns; /* of one clock, taken outside the call */
};

struct linear_report {
	size_t tried; /* states that were met */
	size_t stuck; /* the request whose return no order came past that got
		       * as far as any */
};

/* The key is absent at first. Returns 0, -EILSEQ: no such order, with
 * report->stuck; -E2BIG: more requests than LINEAR_MAX, or most_states were met
 * and nothing is decided; -ENOMEM. */
int linear_check(const struct linear_request *history, size_t n,
		 size_t most_states, struct linear_report *report);

/* One request in a line: "[12.3 ms - 13.1 ms] get = 7". Returns buf. */
const char *linear_text(const struct linear_request *request, char *buf,
			size_t size);

#endif
