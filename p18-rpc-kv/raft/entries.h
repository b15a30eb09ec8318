/* entries.h - the log in memory: what follows a snapshot, and a little before.
 *
 * The first entry is that of index base_index + 1; of base_index itself only
 * the term is known. Commands are copied, and belong to the log. Nothing here
 * knows of terms that must not go back, or of what is committed. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_ENTRIES_H
#define UNIXIPC_P18_RPC_KV_RAFT_ENTRIES_H

#include "p18-rpc-kv/raft/raft.h"

struct entries {
	uint64_t base_index;
	uint64_t base_term;
	struct raft_entry
		*entry; /* side by side: a part of them is a message */
	size_t n;
	size_t room;
};

void entries_fini(struct entries *log);

uint64_t entries_last(const struct entries *log);

/* Of an index from base_index to the last. */
uint64_t entries_term(const struct entries *log, uint64_t index);

/* NULL: not there, or not any more. */
const struct raft_entry *entries_at(const struct entries *log, uint64_t index);

/* The first index, after base_index, from which on all entries up to `index`
 * have its term. */
uint64_t entries_first_of_term(const struct entries *log, uint64_t index);

/* The last index of this term, base_index included; 0: there is none. */
uint64_t entries_last_of_term(const struct entries *log, uint64_t term);

/* Have these n entries from `first` on, and nothing behind them: what is there
 * is replaced. 0, or -ENOMEM with nothing changed. base_index < first <= last +
 * 1. */
int entries_replace(struct entries *log, uint64_t first,
		    const struct raft_entry *entries, size_t n);

/* Forget those up to index, which becomes base_index. */
void entries_drop(struct entries *log, uint64_t index);

/* Forget all, and begin after this entry. */
void entries_reset(struct entries *log, uint64_t index, uint64_t term);

#endif
