/* sim_world.h - what the world of sim.h is made of, for the files of it.
 *
 *	sim.c         the seed's faults, and the course of a run
 *	sim_event.c   what happens when
 *	sim_net.c     messages between servers
 *	sim_disk.c    what a server has written, and what a crash leaves of it
 *	sim_node.c    a server: the core, and who does its work
 *	sim_client.c  clients
 *	sim_state.c   the state machine
 *	sim_check.c   what must be true
 */
#ifndef UNIXIPC_TESTS_P18_SIM_WORLD_H
#define UNIXIPC_TESTS_P18_SIM_WORLD_H

#include "lib/rng.h"
#include "p18-rpc-kv/raft/raft.h"
#include "tests/p18/sim.h"

enum { SERVERS = 9, CLIENTS = 4, KEYS = 3 };

#define US INT64_C(1000)
#define MS INT64_C(1000000)

/* ---- the state machine ---- */

struct command {
	uint64_t client;
	uint64_t sequence;
	uint64_t key;
	uint64_t value;
	uint64_t is_add;
	char padding[200]; /* so that commands differ in length */
};

struct outcome {
	uint64_t revision;
	uint64_t value;
};

struct state {
	struct outcome key[KEYS];
	struct {
		uint64_t sequence;
		struct outcome outcome;
	} session[CLIENTS];
};

/* Returns whether it was executed, and not before. */
bool state_apply(struct state *state, uint64_t index,
		 const struct command *command, struct outcome *outcome);

uint64_t state_hash(const void *bytes, size_t len, uint64_t hash);

/* ---- entries, as they must be wherever they are ---- */

struct fact {
	uint64_t index;
	struct raft_entry entry; /* its command is this fact's */
	uint64_t previous_term;
	struct fact *next; /* with the same hash */
};

struct snapshot {
	uint64_t index;
	uint64_t term;
	uint64_t bytes;
	struct members members;
	struct state state;
	struct snapshot *next; /* of all that there ever were */
};

/* ---- disks ---- */

enum operation_kind {
	WRITE_VOTE,
	WRITE_RESET,
	WRITE_ENTRY,
	WRITE_END, /* of a write of this number */
};

struct operation {
	enum operation_kind kind;
	uint64_t number; /* term, first index, or number */
	uint64_t vote;
	struct fact *fact;
};

struct disk {
	uint64_t term;
	uint64_t vote;
	uint64_t first;
	struct fact **fact;
	size_t n;
	size_t room;
	struct snapshot *snapshot;
	struct members first_members;
	uint64_t folder; /* another after it was wiped */
	uint64_t since;  /* what was committed then */
	/* Not durable: */
	struct operation *queue;
	size_t n_queue;
	size_t queue_room;
	size_t n_syncing;
	/* Votes that others were told of: the candidate, by term. */
	uint64_t *told;
	size_t told_room;
};

/* ---- servers ---- */

struct call {
	uint64_t token; /* ours */
	uint64_t from;
	uint64_t boot;
	uint64_t their_token;
	struct snapshot *snapshot; /* whose bytes come with it */
	bool is_pre;
};

struct proposal {
	uint64_t index;
	uint64_t term;
	unsigned int client;
	uint64_t attempt;
};

struct node {
	uint64_t id;
	struct raft *raft; /* NULL: it is down */
	uint64_t boot;
	int64_t paused_until;
	int64_t clock_offset;
	int64_t clock_rate; /* in thousandths */
	bool is_output_due;
	int64_t tick_at;
	struct disk disk;
	struct state state;
	uint64_t applied;
	uint64_t led_term; /* the last that it led, in this life */
	struct call *calls;
	size_t n_calls;
	size_t calls_room;
	uint64_t last_call;
	struct proposal *proposals;
	size_t n_proposals;
	size_t proposals_room;
	/* A snapshot that comes in, and one that is being written. */
	struct snapshot *incoming;
	uint64_t incoming_bytes;
	bool is_snapshotting;
};

/* ---- clients ---- */

struct client {
	uint64_t sequence;
	uint64_t attempt;
	bool is_waiting;
	bool is_read;
	struct command command;
	unsigned int target; /* whom it asks */
	uint64_t floor;      /* what was known of the key when it began */
};

/* ---- events ---- */

enum event_kind {
	EVENT_TICK,
	EVENT_OUTPUT,
	EVENT_MESSAGE,
	EVENT_LOST,
	EVENT_SYNCED,
	EVENT_PERSISTED,
	EVENT_SNAPSHOT,  /* our own is durable */
	EVENT_INSTALLED, /* a leader's is durable */
	EVENT_ASK,
	EVENT_LAST_OF_SERVERS = EVENT_ASK,
	EVENT_ANSWER,
	EVENT_CLIENT,
	EVENT_FAULT,
	EVENT_HUNT,
	EVENT_START,
	EVENT_HEAL,
};

struct event {
	int64_t ns;
	uint64_t order;
	enum event_kind kind;
	unsigned int who; /* place of the server, or client */
	uint64_t boot;    /* for whom it is meant; 0: any */
	uint64_t number;
	struct raft_message message;
	uint64_t from_boot;
	struct snapshot *snapshot;
	unsigned int client;
	bool is_done; /* of an answer */
	struct outcome outcome;
	struct raft_entry entry[]; /* of the message, and then its commands */
};

/* ---- all of it ---- */

struct committed {
	struct fact *fact;
	uint64_t term; /* of the server that applied it first */
	uint64_t hash; /* of the state after it */
	struct outcome outcome;
	uint64_t key;
};

struct sim {
	uint64_t seed;
	bool has_trace;
	struct sim_result *result;
	struct rng rng;
	int64_t now_ns;
	int64_t heal_ns;
	int64_t end_ns;
	bool is_healed;
	struct event **heap;
	size_t n_heap;
	size_t heap_room;
	uint64_t n_events;

	/* What the seed has chosen. */
	unsigned int n_first; /* servers that the cluster begins with */
	struct raft_options options;
	uint64_t loss; /* of 1000 */
	uint64_t doubling;
	uint64_t crashing; /* of 10,000, at each point where one may */
	int64_t delay_ns;  /* at most */
	int64_t sync_ns;
	int64_t fault_ns; /* between faults */
	uint64_t snapshot_every;
	uint64_t hunting; /* of 10,000: a new leader is not left alone */

	struct node node[SERVERS];
	bool is_cut[SERVERS][SERVERS];
	struct client client[CLIENTS];

	/* What is known of all. */
	struct fact *facts[1024];
	struct snapshot *snapshots;
	uint64_t commit;             /* by a leader */
	struct committed *committed; /* by index */
	size_t n_committed;
	size_t committed_room;
	struct members members; /* the last list that is committed */
	uint64_t members_index;
	uint64_t *leader_of; /* id and boot, by term */
	size_t leader_room;
	uint64_t completed[KEYS]; /* the newest revision that a client knows */
	uint64_t *executed[CLIENTS]; /* the index, by sequence */
	size_t executed_room[CLIENTS];
	uint64_t folders;
};

/* Memory that a simulator cannot do without. */
void *sim_grow(void *items, size_t *room, size_t wanted, size_t size);

/* The first thing that is wrong ends the run. */
void sim_fail(struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sim_trace(const struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool sim_chance(struct sim *sim, uint64_t of_10000);
int64_t sim_up_to(struct sim *sim, int64_t ns);
bool sim_is_over(const struct sim *sim);

/* sim_event.c */
struct event *event_make(size_t bytes, enum event_kind kind, unsigned int who);
void event_add(struct sim *sim, struct event *event, int64_t delay_ns);
struct event *event_take(struct sim *sim);

/* sim_net.c */
void net_send(struct sim *sim, struct node *node,
	      const struct raft_message *message);
void net_receive(struct sim *sim, struct node *node, struct event *event);
void net_forget_calls(struct sim *sim, struct node *node);

/* sim_disk.c */
struct fact *disk_fact(struct sim *sim, uint64_t index,
		       const struct raft_entry *entry, uint64_t previous_term);
void disk_write(struct sim *sim, struct node *node,
		const struct raft_write *write);
void disk_sync(struct sim *sim, struct node *node);
void disk_synced(struct sim *sim, struct node *node);
void disk_crash(struct sim *sim, struct node *node);
void disk_wipe(struct sim *sim, struct node *node);
void disk_free(struct disk *disk);
int disk_open(struct sim *sim, struct node *node,
	      const struct raft_options *options);
bool disk_has(const struct disk *disk, uint64_t index, uint64_t term);
void disk_keep_snapshot(struct sim *sim, struct node *node,
			struct snapshot *snapshot);

/* sim_node.c */
void node_start(struct sim *sim, struct node *node);
void node_crash(struct sim *sim, struct node *node, const char *where);
void node_handle(struct sim *sim, struct event *event);
struct node *node_leader(struct sim *sim);
int64_t node_clock(const struct sim *sim, const struct node *node);

/* sim_client.c */
void client_begin(struct sim *sim, unsigned int who);
void client_answered(struct sim *sim, const struct event *event);
void client_asks(struct sim *sim, struct node *node, const struct event *event);
void client_answer(struct sim *sim, unsigned int client, uint64_t attempt,
		   const struct outcome *outcome);
void client_applied(struct sim *sim, struct node *node, uint64_t index,
		    uint64_t term, const struct outcome *outcome);

/* sim_check.c */
void check_step(struct sim *sim, struct node *node);
void check_message_out(struct sim *sim, struct node *node,
		       const struct raft_message *message);
void check_applied(struct sim *sim, struct node *node, struct fact *fact,
		   bool is_executed, const struct outcome *outcome);
void check_snapshot(struct sim *sim, const struct snapshot *snapshot);
bool check_have_all_agreed(struct sim *sim);

#endif
