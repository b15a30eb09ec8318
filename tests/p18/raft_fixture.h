/* raft_fixture.h - one Raft core, and a test that plays everybody else: its
 * disk, its clock, and the other servers. This one is server 1. */
#ifndef UNIXIPC_TESTS_P18_RAFT_FIXTURE_H
#define UNIXIPC_TESTS_P18_RAFT_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/raft/raft.h"
#include "tests/p18/raft_fault.h"
#include "tests/support/support.h"

#define ELECTION (100 * TICK_MS)
#define HEARTBEAT (20 * TICK_MS)

struct server {
	struct raft *raft;
	struct raft_output output;
	struct raft_status status;
	int64_t now_ns;
	uint64_t last_write;
	uint64_t token;   /* of the request that was made last */
	size_t n_answers; /* to reads, so far */
	/* Of each kind to each server: the last message that there was, without
	 * its entries, and how many came with the last output. */
	struct raft_message last[RAFT_SNAPSHOT_REPLY + 1][MEMBERS_MAX + 1];
	unsigned int n[RAFT_SNAPSHOT_REPLY + 1][MEMBERS_MAX + 1];
};

static inline struct members members_of(unsigned int n)
{
	struct members members = {0};

	for (unsigned int i = 1; i <= n; i++)
		assert_int_equal(members_add(&members, i, "address"), 0);
	return members;
}

static inline struct raft_options usual_options(void)
{
	return (struct raft_options){
		.id = 1,
		.seed = 18,
		.election_ns = ELECTION,
		.heartbeat_ns = HEARTBEAT,
		.window = 4,
		.append_bytes = 1000,
	};
}

static inline void look(struct server *server)
{
	const char *fault = raft_fault(server->raft);

	if (fault)
		fail_msg("%s", fault);
	raft_status(server->raft, &server->status);
}

static struct server s;

/* What the core wants done now; the disk takes the write, and is not done. */
static inline void step(struct server *server)
{
	raft_output(server->raft, &server->output);
	if (server->output.write)
		server->last_write = server->output.write->number;
	server->n_answers += server->output.n_reads;
	memset(server->n, 0, sizeof(server->n));
	for (size_t i = 0; i < server->output.n_messages; i++) {
		const struct raft_message *message =
			&server->output.messages[i];

		server->n[message->kind][message->to]++;
		server->last[message->kind][message->to] = *message;
	}
	look(server);
}

static inline void open_stored(struct server *server,
			       const struct raft_stored *stored)
{
	const struct raft_options options = usual_options();

	*server = (struct server){0};
	assert_int_equal(raft_open(&options, stored, &server->raft), 0);
	step(server);
}

/* A log of these terms, from index 1 on, of one of n servers. */
static inline void open_log(struct server *server, unsigned int n,
			    uint64_t term, const char *terms)
{
	struct raft_entry entries[64] = {0};
	struct raft_stored stored = {
		.term = term,
		.members = members_of(n),
		.first = 1,
		.entries = entries,
		.n = strlen(terms),
	};

	for (size_t i = 0; i < stored.n; i++)
		entries[i] = (struct raft_entry){(uint64_t)(terms[i] - '0'),
						 RAFT_CHANGE, 1, "x"};
	open_stored(server, &stored);
}

static inline void close_server(struct server *server)
{
	raft_close(server->raft);
	server->raft = NULL;
}

/* All that was written is durable. */
static inline void sync_all(struct server *server)
{
	raft_persisted(server->raft, server->last_write);
	step(server);
}

static inline void wait_ns(struct server *server, int64_t ns)
{
	server->now_ns += ns;
	raft_tick(server->raft, server->now_ns);
	step(server);
}

/* ---- what it says ---- */

/* What it has just said: the last message of this kind to this server. */
static inline const struct raft_message *said(const struct server *server,
					      enum raft_message_kind kind,
					      uint64_t to)
{
	return server->n[kind][to] ? &server->last[kind][to] : NULL;
}

static inline const struct raft_message *must_say(const struct server *server,
						  enum raft_message_kind kind,
						  uint64_t to)
{
	const struct raft_message *message = said(server, kind, to);

	if (!message)
		fail_msg("no message of kind %d to %d", kind, (int)to);
	return message;
}

/* ---- what it hears ---- */

static inline struct raft_message message_of(struct server *server,
					     enum raft_message_kind kind,
					     uint64_t from, uint64_t term)
{
	return (struct raft_message){.kind = kind,
				     .from = from,
				     .to = 1,
				     .term = term,
				     .token = ++server->token};
}

static inline void hear(struct server *server,
			const struct raft_message *message)
{
	assert_int_equal(raft_receive(server->raft, message), 0);
	step(server);
}

static inline void ask_vote(struct server *server, uint64_t from, uint64_t term,
			    uint64_t last_index, uint64_t last_term,
			    bool is_pre)
{
	struct raft_message message = message_of(server, RAFT_VOTE, from, term);

	message.vote = (struct raft_vote){last_index, last_term, is_pre};
	hear(server, &message);
}

/* Entries of these terms after the previous one. */
static inline void append(struct server *server, uint64_t from, uint64_t term,
			  uint64_t previous_index, uint64_t previous_term,
			  const char *terms, uint64_t commit)
{
	struct raft_entry entries[RAFT_ENTRIES_MAX] = {0};
	struct raft_message message =
		message_of(server, RAFT_APPEND, from, term);

	message.append = (struct raft_append){
		.previous_index = previous_index,
		.previous_term = previous_term,
		.commit = commit,
		.round = 7,
		.entries = entries,
		.n = strlen(terms),
	};
	for (size_t i = 0; i < message.append.n; i++)
		entries[i] = (struct raft_entry){(uint64_t)(terms[i] - '0'),
						 RAFT_CHANGE, 1, "y"};
	hear(server, &message);
}

/* An answer to the last request of this kind that went to this server. */
static inline struct raft_message reply_of(const struct server *server,
					   enum raft_message_kind kind,
					   uint64_t from, uint64_t term)
{
	assert_true(server->last[kind][from].token != 0);
	return (struct raft_message){.kind = kind + 1,
				     .from = from,
				     .to = 1,
				     .term = term,
				     .token = server->last[kind][from].token};
}

static inline void grant(struct server *server, uint64_t from)
{
	struct raft_message reply =
		reply_of(server, RAFT_VOTE, from, server->status.term);

	reply.vote_reply.is_granted = true;
	hear(server, &reply);
}

/* This server has all up to index, and durable. */
static inline void acknowledge(struct server *server, uint64_t from,
			       uint64_t index)
{
	struct raft_message reply =
		reply_of(server, RAFT_APPEND, from, server->status.term);

	reply.append_reply = (struct raft_append_reply){
		.is_matching = true,
		.index = index,
		.round = server->last[RAFT_APPEND][from].append.round,
	};
	hear(server, &reply);
}

static inline void refuse(struct server *server, uint64_t from, uint64_t index,
			  uint64_t conflict_term)
{
	struct raft_message reply =
		reply_of(server, RAFT_APPEND, from, server->status.term);

	reply.append_reply = (struct raft_append_reply){
		.index = index,
		.conflict_term = conflict_term,
		.round = server->last[RAFT_APPEND][from].append.round,
	};
	hear(server, &reply);
}

/* Its time is over, and servers 2 … would vote for it. */
static inline void campaign(struct server *server)
{
	wait_ns(server, 2 * ELECTION);
	for (uint64_t i = 2; i <= server->status.members.n / 2 + 1; i++)
		grant(server, i);
	sync_all(server);
}

/* They do. Its first entry is in its log, and not synced. */
static inline void become_leader(struct server *server)
{
	campaign(server);
	for (uint64_t i = 2; i <= server->status.members.n / 2 + 1; i++)
		grant(server, i);
	assert_int_equal(server->status.role, RAFT_LEADER);
}

static inline uint64_t term_at(const struct server *server, uint64_t index)
{
	const struct raft_entry *entry = raft_entry(server->raft, index);

	return entry ? entry->term : 0;
}

static inline void propose(const char *command, uint64_t wanted)
{
	uint64_t index, term;

	assert_int_equal(
		raft_propose(s.raft, command, strlen(command), &index, &term),
		0);
	assert_int_equal(index, wanted);
	assert_int_equal(term, s.status.term);
}

/* A leader of term 2 whose entry 3 is committed, with n servers that have
 * it. */
static inline void lead(unsigned int n)
{
	open_log(&s, n, 1, "11");
	become_leader(&s);
	sync_all(&s);
	for (uint64_t i = 2; i <= n; i++)
		acknowledge(&s, i, 3);
	assert_int_equal(s.status.commit, 3);
}

#endif
