/* referee.h - whether the members of a barrier really met.
 *
 * Members write a record before each wait and after it, all into one pipe, so
 * that the order of the records is the order of the writes. What came before
 * the barrier in one process and what comes after it in another are then in
 * that order, or the barrier is wrong. The referee prints what happens as it
 * happens and notes the first thing that may not be.
 */
#ifndef UNIXIPC_P11_BARRIER_CMD_REFEREE_H
#define UNIXIPC_P11_BARRIER_CMD_REFEREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum referee_kind {
	REFEREE_REACHED,      /* about to wait */
	REFEREE_PASSED,       /* wait returned 0 … */
	REFEREE_SERIAL,       /* … or SYSV_BARRIER_SERIAL */
	REFEREE_DYING,        /* about to be killed, and not to wait … */
	REFEREE_DYING_INSIDE, /* … or waiting, as all others but one */
	REFEREE_FAILED,       /* wait returned error */
};

/* What a member writes: below PIPE_BUF, so always whole. */
struct referee_record {
	uint32_t kind;
	uint32_t member; /* 1 … members */
	uint32_t round;  /* 1 … */
	int32_t error;
	int64_t at_ns; /* the monotonic clock */
};

struct referee {
	FILE *out; /* NULL: print nothing */
	unsigned int members, round, passed, serial;
	unsigned int *at; /* the round each member has reached, from [1] */
	bool *told;       /* whose wait failed, from [1] */
	unsigned int *held, n_held;  /* who has reached the next one already */
	unsigned int dying;          /* whose line is held; 0: nobody's */
	bool is_inside;              /* that one, or the last that died */
	unsigned int broken, failed; /* who were told so; other errors */
	int error;                   /* the first of these */
	int64_t died_ns, slowest_ns; /* a death, and the last to be told */
	char wrong[128];             /* the first violation, or "" */
};

/* Returns 0 or -ENOMEM. out may be NULL. */
int referee_init(struct referee *referee, unsigned int members, FILE *out);
void referee_fini(struct referee *referee);

/* Take the next record. Returns 0, or -EBADMSG for one that no member can
 * have written (nothing is noted). */
int referee_take(struct referee *referee, const struct referee_record *record);

/* Whether all who have reached the latest barrier were told that their waits
 * failed, so that nothing more is to be heard of them. */
bool referee_heard_all(const struct referee *referee);

/* When waits failed: whose, and who was silent, for people: "P1, P2 waited at
 * barrier 3 for P4". Returns buf. */
const char *referee_describe(const struct referee *referee, char *buf,
			     size_t size);

#endif
