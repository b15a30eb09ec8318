/* raft.h - the Raft consensus algorithm as a pure state machine.
 *
 * Diego Ongaro and John Ousterhout, "In Search of an Understandable Consensus
 * Algorithm" (extended version, 2014), named "paper" here, and Diego Ongaro's
 * thesis "Consensus: Bridging Theory and Practice" (2014).
 *
 * A struct raft is one server's state. It is given events, each a call of one
 * of the functions below, and raft_output() says what has to be done because of
 * them: what to write, whom to send what, what to apply. There is no I/O in
 * here, no clock, no thread, no global; the same events give the same output.
 * Who does the work is called the node:
 *
 *	raft_tick(raft, now);
 *	for each event that has happened
 *		raft_receive(…) raft_propose(…) raft_read(…) raft_persisted(…) …
 *	raft_output(raft, &output);
 *	hand output.write to the log (not waiting for it), keep
 *	output.chunks, send output.messages, apply output.apply, answer
 *	output.reads
 *	sleep until output.wake_ns, or the next event
 *
 * Many events before one output make one write, and one message for each peer:
 * that is how requests are batched.
 *
 * One thread at a time may use a struct raft. No call blocks. After a fork both
 * copies work, but only one may go on. What raft_output() points to is the
 * core's, and good until the next call of any function of the same struct raft;
 * what the functions are given is copied, and stays the caller's.
 *
 * Durability. output.write has a number, and writes are done in their order.
 * When it is durable (fdatasync has returned 0; one may do for several), the
 * node says raft_persisted(number). The core holds messages back until then,
 * where they depend on it: no vote is told before term and vote are durable, no
 * entry is acknowledged before it is. A leader sends entries before it has
 * written them, and counts itself when it has (thesis, 10.2.1). If a write
 * fails, nobody knows what is on the disk: the process must end.
 *
 * Messages are requests and replies. To each request that raft_receive() has
 * taken there is one reply, now or later, with its token. To each request that
 * the core sends, the node gives raft_receive() the reply, with the request's
 * token, or calls raft_lost(). If it does neither the core sends anew, but
 * later. Messages may be lost, doubled, delayed and out of order. What no
 * correct server would send is refused with -EBADMSG, and changes nothing; but
 * a server that lies well enough is not found out: Raft trusts the members, and
 * the node must know that it talks to one (cluster id, from, to).
 *
 * Who may vote. The core believes that an id means one log, which never
 * forgets. So a folder that was lost must not come back under its id: the
 * server is removed, and added again. The node must
 *
 *	- give raft_open() the first members only when it is sure that the
 *	  cluster begins now: not when the folder is empty and another member's
 *	  is not (then it was wiped, or is to be added: no members);
 *	- keep, durable with term and vote, that it was opened once: a folder in
 *	  which there is an identity but no term is a damaged one;
 *	- answer a peer that speaks to another id or cluster as a stranger, and
 *	  not call raft_receive().
 *
 * A server that is opened without members takes entries and snapshots, but
 * neither votes nor campaigns until it finds itself among the members in its
 * log. That keeps one who was wiped from voting at once, and not for ever: the
 * rest is the node's.
 *
 * Functions that return int return 0 or -errno. -ENOMEM: nothing has changed;
 * try again, or let it be lost like a message. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_RAFT_H
#define UNIXIPC_P18_RPC_KV_RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/raft/members.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	RAFT_ENTRIES_MAX = 32,       /* of one message */
	RAFT_COMMAND_MAX = 135168,   /* bytes of one entry */
	RAFT_CHUNK_MAX = 256 * 1024, /* bytes of a snapshot in one message */
	RAFT_WINDOW_MAX = 64,
};

/* Terms and indexes beyond this are refused: nobody gets there by counting, and
 * so they can be added to without overflow. */
#define RAFT_NUMBER_MAX ((uint64_t)INT64_MAX / 2)

enum raft_role {
	RAFT_FOLLOWER = 0,
	RAFT_CANDIDATE = 1, /* also while it asks whether it may be one */
	RAFT_LEADER = 2,
};

/* ---- entries ---- */

enum raft_entry_kind {
	RAFT_NOTHING = 0, /* a new leader's first entry; no command */
	RAFT_CHANGE = 1,  /* a command for the state machine */
	RAFT_MEMBERS = 2, /* the command is a list as in members.h */
};

/* The first entry of a log has index 1; index 0, of term 0, is before it. */
struct raft_entry {
	uint64_t term;
	enum raft_entry_kind kind;
	size_t len;
	const void *command;
};

/* ---- messages ---- */

enum raft_message_kind {
	RAFT_VOTE = 1,
	RAFT_VOTE_REPLY = 2,
	RAFT_APPEND = 3,
	RAFT_APPEND_REPLY = 4,
	RAFT_SNAPSHOT = 5,
	RAFT_SNAPSHOT_REPLY = 6,
};

struct raft_vote {
	uint64_t last_index;
	uint64_t last_term;
	bool is_pre; /* would you? Then the message's term is the one to come */
};

struct raft_vote_reply {
	bool is_granted;
};

struct raft_append {
	uint64_t previous_index;
	uint64_t previous_term;
	uint64_t commit;
	uint64_t round; /* comes back: what reads wait for */
	const struct raft_entry *entries;
	size_t n;
};

struct raft_append_reply {
	bool is_matching;
	uint64_t index;         /* the last that matches and is durable; if it
				 * does not match, where to look for it */
	uint64_t conflict_term; /* of the entry there; 0: none */
	uint64_t round;
};

/* The bytes are the node's, on both sides. */
struct raft_snapshot {
	uint64_t last_index;
	uint64_t last_term;
	uint64_t total; /* bytes, at least one */
	uint64_t offset;
	uint64_t len; /* bytes of this chunk, at least one */
};

struct raft_snapshot_reply {
	uint64_t offset; /* the next that is wanted; total: it is in */
};

struct raft_message {
	enum raft_message_kind kind;
	uint64_t from;
	uint64_t to;
	uint64_t term;
	uint64_t token; /* of the request, and so of its reply; who sends the
			 * request chooses it, or, at the other end, the node
			 * there, which knows the call by it */
	union {
		struct raft_vote vote;
		struct raft_vote_reply vote_reply;
		struct raft_append append;
		struct raft_append_reply append_reply;
		struct raft_snapshot snapshot;
		struct raft_snapshot_reply snapshot_reply;
	};
};

/* ---- life ---- */

struct raft;

struct raft_options {
	uint64_t id;   /* of this server, never 0 */
	uint64_t seed; /* of random timeouts; another for each server and start
			*/
	int64_t now_ns;
	int64_t election_ns;  /* a follower that hears nobody for this long, or
			       * up to twice as long, campaigns */
	int64_t heartbeat_ns; /* a leader that has nothing to say says so; less
			       * than half of election_ns */
	unsigned int window;  /* requests with entries in flight to each peer, 1
			       * to RAFT_WINDOW_MAX */
	size_t append_bytes;  /* of commands in one message, or one command */
	uint64_t trailing;    /* entries that stay behind a snapshot, for peers
			       * that are a little late */
	uint64_t since; /* 0; or, of a server that joins, an index at which
			       * it was no member: a list of members up to
			       * there means another server, which had its id
			       * before */
};

/* What is durable, as it was found. In a new folder all is 0, but the members
 * of a cluster that begins now. */
struct raft_stored {
	uint64_t term;
	uint64_t vote;           /* id, 0: nobody in this term */
	uint64_t snapshot_index; /* 0: there is none */
	uint64_t snapshot_term;
	uint64_t snapshot_bytes;
	struct members members; /* those of the snapshot, or the first ones */
	uint64_t first;         /* index of entries[0] */
	const struct raft_entry *entries;
	size_t n;
};

/* -EINVAL (options), -EBADMSG (this was never a log: a gap after the snapshot,
 * terms that go back, entries beyond stored->term, a list of members that is
 * none). Entries that the snapshot covers are welcome. If the log ends before the
 * snapshot, or has an entry of another term in its place, a crash came between
 * the two: the first write begins the log anew. So does one that came before
 * stored->term reached the snapshot's: that is our term then, in which we have
 * voted for nobody, as a vote is durable before it is given. */
int raft_open(const struct raft_options *options,
	      const struct raft_stored *stored, struct raft **opened);

/* NULL is allowed. */
void raft_close(struct raft *raft);

/* ---- events ---- */

/* It is now_ns, on any clock that does not go back. */
void raft_tick(struct raft *raft, int64_t now_ns);

/* A message has arrived. Replies that nobody waits for any more are passed
 * over. -EBADMSG, -ENOMEM: there will be no reply. */
int raft_receive(struct raft *raft, const struct raft_message *message);

/* The request of this token to this server has failed, or it is not known
 * whether it has. */
void raft_lost(struct raft *raft, uint64_t id, uint64_t token);

/* Add a command to the log. If the entry that is applied at *index later is of
 * *term, this was done; if it is of another, it was not and will not be. Not to
 * be told: a snapshot was installed across *index. -EREMOTE (we are not the
 * leader), -EMSGSIZE. */
int raft_propose(struct raft *raft, const void *command, size_t len,
		 uint64_t *index, uint64_t *term);

/* Add or remove one server (thesis, 4.1); the same promise. A change counts
 * from when it is in the log. -EREMOTE, -EBUSY (the last change is not
 * committed yet, or this leader has committed nothing; try again), and those of
 * members_add(), members_remove(). Whoever is added has an empty folder, or one
 * of this cluster. It is a learner at first, whom no majority waits for, and
 * the leader makes it a voter by itself when it has caught up. */
int raft_add(struct raft *raft, uint64_t id, const char *address,
	     uint64_t *index, uint64_t *term);
int raft_remove(struct raft *raft, uint64_t id, uint64_t *index,
		uint64_t *term);

/* Ask for a linearizable read (ReadIndex; thesis, 6.4). The answer with this
 * id, any number, comes with an output. For a follower's read its node asks the
 * leader's: the index of that answer, applied by the follower, is enough.
 * -EREMOTE. */
int raft_read(struct raft *raft, uint64_t id);

/* All writes up to this number are durable. */
void raft_persisted(struct raft *raft, uint64_t number);

/* There is a durable snapshot of what was applied up to index; entries up to
 * index - trailing are forgotten. The snapshot must be kept readable until
 * there is another, and while it is being sent (a request that cannot be served
 * any more is lost). -EINVAL: index was not applied, or is older than the last.
 */
int raft_compacted(struct raft *raft, uint64_t index, uint64_t bytes);

/* The last chunk was written, and the snapshot is whole and durable under its
 * name; these are its members. 0: the state machine must be replaced by it now,
 * before anything more is applied. -ESTALE: it is of no use any more, and
 * nothing is to be done. */
int raft_installed(struct raft *raft, uint64_t index, uint64_t term,
		   const struct members *members);

/* The chunks could not be kept, or are no snapshot: it is asked for again. */
void raft_install_failed(struct raft *raft);

/* ---- output ---- */

/* To be done in the order of its fields, and made durable by one sync. */
struct raft_write {
	uint64_t number;
	bool has_vote; /* term and vote have changed */
	uint64_t term;
	uint64_t vote;
	bool is_reset;  /* forget all entries: a snapshot up to first - 1 is
			 * durable, and the log begins with first */
	uint64_t first; /* index of entries[0]; entries that were there, or
			 * beyond, are replaced. 0: no entries, no reset */
	const struct raft_entry *entries;
	size_t n;
};

/* A part of a snapshot, to be kept beside the present one, before the messages
 * are sent. A part at offset 0 begins a new one. After the last (offset + len
 * == total): raft_installed() or raft_install_failed(). */
struct raft_chunk {
	uint64_t token; /* of the request that has the bytes */
	uint64_t from;
	struct raft_snapshot snapshot;
};

struct raft_answer {
	uint64_t id;
	bool is_confirmed; /* false: we are the leader no more */
	uint64_t index;    /* to be applied before it is read */
};

struct raft_output {
	const struct raft_write *write; /* NULL: nothing */
	const struct raft_chunk *chunks;
	size_t n_chunks;
	const struct raft_message *messages;
	size_t n_messages;
	uint64_t apply_first;           /* index of apply[0] */
	const struct raft_entry *apply; /* of all kinds */
	size_t n_apply;
	const struct raft_answer *reads;
	size_t n_reads;
	int64_t wake_ns; /* when the next raft_tick() is due */
};

/* What is to be done now. It is told once. */
void raft_output(struct raft *raft, struct raft_output *output);

/* ---- looking ---- */

struct raft_progress {
	uint64_t match;   /* the last entry known to be durable there */
	int64_t heard_ns; /* when it has answered last; now, for ourselves */
	bool is_snapshot; /* it is being sent one */
};

struct raft_status {
	enum raft_role role;
	uint64_t term;
	uint64_t vote;
	uint64_t leader; /* id; 0: not known */
	uint64_t last;   /* index */
	uint64_t last_term;
	uint64_t durable; /* the last entry that is so here */
	uint64_t commit;
	uint64_t applied; /* handed out */
	uint64_t snapshot;
	uint64_t first;     /* the oldest entry that is still there */
	uint64_t elections; /* that this server has begun */
	int64_t heard_ns;   /* follower: from the leader of the term; INT64_MIN:
			     * not   yet. When it was sent, nobody knows */
	int64_t confirmed_ns; /* leader: then it was one for certain; what was
			       * committed by then is in confirmed_index */
	uint64_t confirmed_index;
	struct members members;
	struct raft_progress progress[MEMBERS_MAX]; /* leader: of members */
};

void raft_status(const struct raft *raft, struct raft_status *status);

/* How many members are known to have this entry, and durable. */
unsigned int raft_replicas(const struct raft *raft, uint64_t index);

/* An entry that is still in the log, or NULL; good as output is. */
const struct raft_entry *raft_entry(const struct raft *raft, uint64_t index);

/* The members as of an entry no older than the snapshot: what a snapshot up to
 * there must hold. None, in a server that was opened without and has not come
 * to an entry RAFT_MEMBERS yet. */
void raft_members(const struct raft *raft, uint64_t index,
		  struct members *members);

#ifdef __cplusplus
}
#endif

#endif
