/* accumulator.h - a number that requests add to, each of them at most once.
 *
 * A client that got no reply cannot know whether its request was lost or the
 * reply, and sends it again. So that it is not added twice, a request has a
 * name: the client (a random number) and the client's own 1, 2, 3 …; and the
 * last answer to each client is kept and given again.
 *
 * What is kept is bounded: one answer for each of so many clients. A client is
 * forgotten only for a new one, when it has been silent for keep_ns or more;
 * if none has, the new one is refused (-EBUSY) rather than an old one done
 * twice. So a client that retries for less than keep_ns is done at most once.
 * So that nobody keeps others out by making up clients, a new one is taken only
 * while its owner, the address that it comes from, has fewer than there is room
 * for others: one owner gets half of the table, two a third each, and there is
 * always a place for the next. All of it lies in memory, and dies with the
 * number itself.
 *
 * Any thread may call; none waits longer than a look at the table takes.
 */
#ifndef UNIXIPC_P16_RPC_CALC_ACCUMULATOR_H
#define UNIXIPC_P16_RPC_CALC_ACCUMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct accumulator;

/* Start at 0, remember up to clients (1 or more). -ENOMEM, -EINVAL. */
int accumulator_open(struct accumulator **accumulator, size_t clients,
		     int64_t keep_ns);
void accumulator_close(struct accumulator *accumulator);

/* Add amount for this request, seen at the moment now (lib/tick), of a client
 * that belongs to owner (rpc_share_owner(); 0: to nobody, without a share). It
 * begins with sequence 1 and goes on with the next number once it has an
 * answer. The last request again has the last answer again, whatever amount
 * says. Returns
 *
 *	0           *total is the number after the request
 *	-EOVERFLOW  it would not fit, and was not added (this is an answer too,
 *	            and kept)
 *	-ESTALE     not the last request and not the next one, or of a client
 *	            that is not remembered and does not begin with 1: not added
 *	            now, and nobody knows whether it ever was
 *	-EBUSY      no room for another client of this owner: not added */
int accumulator_add(struct accumulator *accumulator, uint64_t owner,
		    uint64_t client, uint64_t sequence, int64_t amount,
		    int64_t now, int64_t *total);

struct accumulator_counts {
	uint64_t added;    /* requests that were done */
	uint64_t repeated; /* and those that had their old answer again */
	size_t clients;    /* remembered now */
};

struct accumulator_counts accumulator_counts(struct accumulator *accumulator);

#ifdef __cplusplus
}
#endif

#endif
