/* core.h - the state of a server, for the files of this folder.
 *
 *	raft.c         what the node calls: checks, and who is to do it
 *	check.c        what no correct server sends, stores or is started with
 *	election.c     terms, votes, timeouts
 *	replication.c  a leader's side of the log: sending, counting, committing
 *	follower.c     the other side: taking entries
 *	reads.c        linearizable reads
 *	transfer.c     snapshots, both sides
 *	configure.c    members, and how they change
 *	durable.c      what is to be written, and what waits until it is
 *
 * State that a paragraph of Figure 2 of the paper names has its name here. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_CORE_H
#define UNIXIPC_P18_RPC_KV_RAFT_CORE_H

#include "lib/rng.h"
#include "p18-rpc-kv/raft/entries.h"
#include "p18-rpc-kv/raft/raft.h"

/* How a leader sends to a peer. */
enum peer_mode {
	PEER_PROBE,     /* it looks for where the logs part: one request at a
			 * time */
	PEER_REPLICATE, /* it has found it: a window of requests */
	PEER_SNAPSHOT,  /* what the peer lacks is not in the log any more */
};

/* A request with entries that is on its way. */
struct flight {
	uint64_t token;
	uint64_t last; /* its last entry */
};

/* Another member, or ourselves, in the order of the members. */
struct peer {
	uint64_t id;
	bool has_granted; /* its vote, or that it would */
	/* Of a leader, from here on. */
	enum peer_mode mode;
	uint64_t next;  /* nextIndex: what to send next */
	uint64_t match; /* matchIndex: what it has, and durable */
	struct flight flight[RAFT_WINDOW_MAX];
	unsigned int n_flight;
	uint64_t met;   /* answers to requests with lesser tokens are of an
			* earlier term, or of another folder */
	uint64_t since; /* refusals of requests with lesser tokens are old */
	bool is_silent; /* a request was lost: only heartbeats until it speaks */
	bool wants_empty; /* a heartbeat is due, or a round */
	int64_t sent_ns;
	int64_t entries_ns; /* when entries were sent last */
	int64_t heard_ns;
	uint64_t round; /* the last that it has answered */
	/* PEER_SNAPSHOT */
	uint64_t snapshot_index;
	uint64_t snapshot_term;
	uint64_t snapshot_bytes;
	uint64_t offset;
	uint64_t chunk_token; /* 0: no request is on its way */
	int64_t chunk_ns;     /* when it was sent */
};

/* A write that was handed out, and is not known to be durable. */
struct write_mark {
	uint64_t number;
	uint64_t last; /* its last entry, unless replaced since; 0: none */
};

/* A message that may go when a write is durable. */
struct held {
	uint64_t needs; /* number of the write */
	struct raft_message message;
};

struct read {
	uint64_t id;
	uint64_t round; /* that will confirm it; 0: not begun */
	uint64_t index;
};

struct raft {
	struct raft_options options;
	struct rng rng;
	int64_t now_ns;

	/* Persistent state (Figure 2): currentTerm, votedFor, log[]. */
	uint64_t term;
	uint64_t vote;
	struct entries log;

	/* Volatile state: commitIndex, lastApplied, and who leads. */
	uint64_t commit;
	uint64_t applied; /* handed out */
	enum raft_role role;
	uint64_t leader;

	/* The snapshot. */
	uint64_t snapshot_index;
	uint64_t snapshot_term;
	uint64_t snapshot_bytes;
	struct members snapshot_members;

	/* The members, by the last entry that says so, of this index; or the
	 * snapshot's. */
	struct members members;
	uint64_t members_index;
	struct peer peer[MEMBERS_MAX];

	/* Elections. */
	int64_t election_ns; /* when to campaign */
	int64_t heard_ns;    /* from the leader of this term */
	bool is_pre;
	uint64_t campaign_token; /* the first of this campaign */
	uint64_t campaign_write; /* makes our own vote durable; 0: it counts */
	uint64_t elections;

	/* Leader. */
	uint64_t first_index; /* of its term: the entry that says nothing */
	int64_t quorum_ns;    /* when to look whether a majority answers */

	/* Reads. */
	uint64_t round; /* the last that was begun */
	bool is_confirmed;
	int64_t round_ns;
	uint64_t round_index;
	int64_t confirmed_ns;
	uint64_t confirmed_index;
	struct read *reads;
	size_t n_reads;
	size_t reads_room;
	struct raft_answer *answers;
	size_t n_answers;
	size_t answers_room;
	size_t n_answers_told;

	/* A snapshot that comes in. */
	struct raft_chunk incoming; /* offset: the next; of the last request */
	bool is_incoming;
	bool is_installing; /* all is there */
	struct raft_chunk *chunks;
	size_t n_chunks;
	size_t n_chunks_told;
	size_t chunks_room;

	/* Durability. */
	struct raft_write write;
	uint64_t n_writes;
	bool is_vote_changed;
	uint64_t vote_write; /* that makes term and vote durable */
	bool is_reset;
	uint64_t written; /* the last entry that was handed out */
	uint64_t durable;
	struct write_mark *marks;
	size_t n_marks;
	size_t marks_room;

	/* Messages: those that wait, and those of this output. */
	uint64_t last_token;
	struct held *held;
	size_t n_held;
	size_t held_room;
	struct raft_message *ready;
	size_t n_ready;
	size_t ready_room;
};

static inline uint64_t core_last(const struct raft *raft)
{
	return entries_last(&raft->log);
}

static inline uint64_t core_last_term(const struct raft *raft)
{
	return entries_term(&raft->log, core_last(raft));
}

static inline bool core_is_self(const struct raft *raft, unsigned int at)
{
	return raft->peer[at].id == raft->options.id;
}

/* Whether the voters of which this is true are a majority. */
static inline bool core_majority(const struct raft *raft,
				 bool (*is_true)(const struct raft *raft,
						 unsigned int at))
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < raft->members.n; i++)
		n += !raft->members.member[i].is_learner && is_true(raft, i);
	return n >= members_majority(&raft->members);
}

static inline struct peer *core_peer(struct raft *raft, uint64_t id)
{
	const int at = members_find(&raft->members, id);

	return at < 0 ? NULL : &raft->peer[at];
}

#endif
