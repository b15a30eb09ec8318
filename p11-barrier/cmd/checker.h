/* checker.h - whether the participants of a barrier really met.
 *
 * Participants write a record before each wait and after it, all into one pipe,
 * so that the order of the records is the order of the writes. What came before
 * the barrier in one process and what comes after it in another are then in
 * that order, or the barrier is wrong. The checker prints what happens as it
 * happens and notes the first thing that may not be.
 */
#ifndef UNIXIPC_P11_BARRIER_CMD_CHECKER_H
#define UNIXIPC_P11_BARRIER_CMD_CHECKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum checker_kind {
	CHECKER_REACHED,      /* about to wait */
	CHECKER_PASSED,       /* wait returned 0 … */
	CHECKER_SERIAL,       /* … or SYSV_BARRIER_SERIAL */
	CHECKER_DYING,        /* about to be killed, and not to wait … */
	CHECKER_DYING_INSIDE, /* … or waiting, as all others but one */
	CHECKER_FAILED,       /* wait returned error */
};

/* What a participant writes: below PIPE_BUF, so always whole. */
struct checker_record {
	uint32_t kind;
	uint32_t participant; /* 1 … participants */
	uint32_t round;       /* 1 … */
	int32_t error;
	int64_t at_ns; /* the monotonic clock */
};

struct checker {
	FILE *out; /* NULL: print nothing */
	unsigned int participants, round, passed, serial;
	unsigned int *at; /* the round each participant has reached, from [1] */
	bool *notified;   /* whose wait failed, from [1] */
	unsigned int *held, n_held;  /* participants that are a round ahead */
	unsigned int dying;          /* whose line is held; 0: nobody's */
	bool is_inside;              /* the dying one, or the last that died */
	unsigned int broken, failed; /* participants told so; other errors */
	int error;                   /* the first of these */
	int64_t died_ns, slowest_ns; /* a death, and the last notification */
	char wrong[128];             /* the first violation, or "" */
};

/* Returns 0 or -ENOMEM. out may be NULL. */
int checker_init(struct checker *checker, unsigned int participants, FILE *out);
void checker_fini(struct checker *checker);

/* Take the next record. Returns 0, or -EBADMSG for one that no participant can
 * have written (nothing is noted). */
int checker_take(struct checker *checker, const struct checker_record *record);

/* Whether all participants at the latest barrier were notified that their waits
 * failed, so that nothing more is to be heard of them. */
bool checker_heard_all(const struct checker *checker);

/* When waits failed: whose, and who was silent, for people: "P1, P2 waited at
 * barrier 3 for P4". Returns buf. */
const char *checker_describe(const struct checker *checker, char *buf,
			     size_t size);

#endif
