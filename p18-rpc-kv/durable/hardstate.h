/* hardstate.h - the current term and the vote in it, which no crash may take back
 * (Raft, figure 2: "persistent state … updated on stable storage before
 * responding to RPCs").
 *
 * A file "vote" with two copies, each with version and CRC-32C, 4 KB apart.
 * Both are written, one after the other, each synced before the next step: so
 * one copy that is torn by a power cut, or that goes bad later, takes
 * nothing away. With both bad, or two that cannot be of one history, the file is
 * refused: a vote that is forgotten may be given twice.
 *
 * One thread. Blocks for two syncs. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_HARDSTATE_H
#define UNIXIPC_P18_RPC_KV_DURABLE_HARDSTATE_H

#include <stdint.h>

#include "p18-rpc-kv/durable/damage.h"

struct hardstate {
	int fd;
	uint64_t version; /* of what is in the file */
	uint64_t term;
	uint64_t vote; /* id of a server, 0: none in this term */
};

/* A new one, term 0, in a folder that is not formed yet; what was there is thrown
 * away. */
int hardstate_create(int dir);

/* -EBADMSG and damage; a file that is missing is damage, too, and -EPERM has it
 * where others may write to it. A bad copy
 * is made again from the good one. */
int hardstate_open(struct hardstate *hardstate, int dir, struct damage *damage);
void hardstate_close(struct hardstate *hardstate);

/* Durable on return. -EINVAL: a term that goes back, or another vote in the same
 * term: nothing is written. After any other failure nobody knows what is in the
 * file, and the caller ends the process: no retry (the kernel may have dropped
 * the pages of a failed sync and call the next one a success). */
int hardstate_set(struct hardstate *hardstate, uint64_t term, uint64_t vote);

#endif
