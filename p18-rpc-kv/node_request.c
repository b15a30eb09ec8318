/* node_request.c - who waits, and for what.
 *
 * A request is on the stack of its thread. begin() is called by the node's thread,
 * which puts it into a list until it can be answered; so there it is in one stage
 * or another, and no other thread looks at it. All that wait are looked at after
 * each batch: there are as many as clients that wait, and a batch is larger the more
 * of them there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/node_parts.h"

enum {
	AVOID_MS = 50,   /* at most, until a failed leader is asked again */
	CALL_MS = 10000, /* a peer has given up long before */
	WAITING_BYTES_MAX = 64 << 20, /* that the disk has not taken */
};

/* ---- lists ---- */

static void add(struct node *node, struct list *list, struct request *request)
{
	request->next = list->first;
	request->previous = NULL;
	if (list->first)
		list->first->previous = request;
	list->first = request;
	list->n++;
	if (request->deadline < node->sweep_ns)
		node->sweep_ns = request->deadline;
}

static void take_out(struct list *list, struct request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	list->n--;
}

/* The thread goes on, and the request is gone. */
static void answer(struct request *request, enum node_outcome outcome)
{
	request->outcome = outcome;
	sem_post(&request->done);
}

static void refuse(struct request *request, int error)
{
	request->wait->error = error;
	answer(request, NODE_REFUSED);
}

static void finish(struct node *node, struct request *request,
		   enum node_outcome outcome)
{
	take_out(&node->waiting, request);
	answer(request, outcome);
}

static void begin(struct node *node, struct event *event)
{
	struct request *request = (struct request *)event;

	if (node->is_shut && request->wait)
		answer(request, NODE_NOBODY);
	else
		request->begin(node, request);
}

/* The node's thread answers at the deadline at the latest. */
static enum node_outcome make(struct node *node, struct request *request)
{
	request->event.happen = begin;
	if (sem_init(&request->done, 0, 0))
		return NODE_REFUSED;
	node_post(node, &request->event);
	while (sem_wait(&request->done))
		; /* EINTR: a handler ran, which changes nothing for us */
	sem_destroy(&request->done);
	return request->outcome;
}

/* ---- the leader ---- */

static const char *address_of(const struct node *node, uint64_t id)
{
	int at = members_find(&node->status.members, id);

	return at < 0 ? NULL : node->status.members.member[at].address;
}

static bool is_avoided(const struct node *node, const struct node_wait *wait)
{
	return wait->avoided == node->status.leader &&
	       wait->avoided_term == node->status.term;
}

/* Answer with the leader, or note it as waiting for one. */
static void send_elsewhere(struct node *node, struct request *request)
{
	struct node_wait *wait = request->wait;
	const char *address = address_of(node, node->status.leader);
	int64_t soon = tick_after(AVOID_MS * TICK_MS);

	if (address &&
	    node->status.leader != node->options.folder->identity.server &&
	    !is_avoided(node, wait)) {
		wait->leader = node->status.leader;
		wait->term = node->status.term;
		memcpy(wait->address, address, strlen(address) + 1);
		answer(request, NODE_ELSEWHERE);
		return;
	}
	if (wait->is_forwarded) {
		answer(request, NODE_NOBODY);
		return;
	}
	if (wait->avoided && soon < request->deadline)
		request->deadline = soon;
	request->stage = REQUEST_NEW;
	add(node, &node->waiting, request);
}

/* ---- writes ---- */

static void proposed(struct node *node, struct request *request, int error)
{
	switch (error) {
	case 0:
		request->stage = REQUEST_PROPOSED;
		add(node, &node->waiting, request);
		break;
	case -EREMOTE:
		send_elsewhere(node, request);
		break;
	default:
		refuse(request, error);
	}
}

static void begin_propose(struct node *node, struct request *request)
{
	struct writer_count count;

	writer_count(node->writer, &count);
	if (count.waiting_bytes > WAITING_BYTES_MAX) {
		refuse(request, -ENOBUFS);
		return;
	}
	proposed(node, request,
		 raft_propose(node->raft, request->command, request->len,
			      &request->index, &request->term));
}

enum node_outcome node_propose(struct node *node, const void *command,
			       size_t len, uint32_t replicas_ms,
			       struct node_wait *wait, kv_write_result *result)
{
	struct request request = {
		.begin = begin_propose,
		.deadline = wait->deadline,
		.wait = wait,
		.command = command,
		.len = len,
		.replicas_ms = replicas_ms,
		.write = result,
	};

	return make(node, &request);
}

static void begin_change(struct node *node, struct request *request)
{
	int error = request->address
			    ? raft_add(node->raft, request->member,
				       request->address, &request->index,
				       &request->term)
			    : raft_remove(node->raft, request->member,
					  &request->index, &request->term);

	proposed(node, request, error);
}

enum node_outcome node_change_members(struct node *node, uint64_t id,
				      const char *address,
				      struct node_wait *wait,
				      kv_write_result *result)
{
	struct request request = {
		.begin = begin_change,
		.deadline = wait->deadline,
		.wait = wait,
		.member = id,
		.address = address,
		.write = result,
	};

	return make(node, &request);
}

/* ---- reads ---- */

static void begin_read(struct node *node, struct request *request)
{
	if (node->status.role != RAFT_LEADER) {
		send_elsewhere(node, request);
		return;
	}
	node->wants_round = true;
	request->round = node->next_round + 1;
	request->stage = REQUEST_READ;
	add(node, &node->waiting, request);
}

enum node_outcome node_read(struct node *node, struct node_wait *wait)
{
	struct request request = {
		.begin = begin_read,
		.deadline = wait->deadline,
		.wait = wait,
	};

	return make(node, &request);
}

/* All reads of a batch are asked for as one. */
void node_begin_round(struct node *node)
{
	struct raft_answer none;

	if (!node->wants_round)
		return;
	node->wants_round = false;
	none = (struct raft_answer){.id = ++node->next_round};
	if (raft_read(node->raft, none.id))
		node_confirm(node, &none);
}

void node_confirm(struct node *node, const struct raft_answer *confirmed)
{
	struct request *next;

	for (struct request *r = node->waiting.first; r; r = next) {
		next = r->next;
		if (r->stage != REQUEST_READ || r->round != confirmed->id)
			continue;
		if (confirmed->is_confirmed) {
			r->stage = REQUEST_APPLIED;
			r->index = confirmed->index;
		} else {
			take_out(&node->waiting, r);
			send_elsewhere(node, r);
		}
	}
}

static void begin_reach(struct node *node, struct request *request)
{
	request->stage = REQUEST_APPLIED;
	add(node, &node->waiting, request);
}

enum node_outcome node_reach(struct node *node, uint64_t index,
			     int64_t deadline)
{
	struct request request = {
		.begin = begin_reach,
		.deadline = deadline,
		.index = index,
	};

	return make(node, &request);
}

/* ---- looking ---- */

static kv_role role_of(enum raft_role role)
{
	return role == RAFT_LEADER      ? KV_LEADER
	       : role == RAFT_CANDIDATE ? KV_CANDIDATE
					: KV_FOLLOWER;
}

static bool is_reachable(const struct node *node, uint64_t id)
{
	if (id == node->options.folder->identity.server)
		return true;
	for (const struct link *link = node->links; link; link = link->next)
		if (link->member.id == id)
			return peer_is_reachable(link->votes);
	return false;
}

static void look_at_members(const struct node *node, kv_status_result *result)
{
	const struct members *members = &node->status.members;
	kv_member *to = calloc(MEMBERS_MAX, sizeof(*to));

	if (!to)
		return;
	for (unsigned int i = 0; i < members->n; i++) {
		to[i].id = members->member[i].id;
		to[i].address = strdup(members->member[i].address);
		to[i].is_reachable = is_reachable(node, to[i].id);
		if (node->status.role == RAFT_LEADER)
			to[i].match = to[i].id == node->status.leader
					      ? node->status.durable
					      : node->status.progress[i].match;
	}
	result->members.members_val = to;
	result->members.members_len = members->n;
}

static void look(struct node *node, struct request *request)
{
	const struct raft_status *status = &node->status;
	const struct state_count count = state_count(node->state);
	kv_status_result *result = request->status;
	struct writer_count written;

	writer_count(node->writer, &written);
	result->id = node->options.folder->identity.server;
	result->role = role_of(status->role);
	result->term = status->term;
	result->leader = status->leader;
	result->last = status->last;
	result->commit = status->commit;
	result->applied = count.applied;
	result->snapshot = status->snapshot;
	result->keys = count.keys;
	result->bytes = count.bytes;
	result->writes = node->writes;
	result->elections = status->elections;
	result->syncs = written.syncs;
	result->slow_syncs = written.slow_syncs;
	look_at_members(node, result);
	answer(request, NODE_DONE);
}

void node_status(struct node *node, kv_status_result *result)
{
	struct request request = {.begin = look, .status = result};

	make(node, &request);
}

static void freeze(struct node *node, struct request *request)
{
	if (state_freeze(node->state, &request->view))
		request->view = NULL;
	answer(request, NODE_DONE);
}

struct state_view *node_freeze(struct node *node)
{
	struct request request = {.begin = freeze};

	make(node, &request);
	return request.view;
}

unsigned int node_reachable(struct node *node, unsigned int *servers)
{
	*servers = atomic_load_explicit(&node->servers, memory_order_relaxed);
	return atomic_load_explicit(&node->reachable, memory_order_relaxed);
}

/* ---- after a batch ---- */

static void count_replicas(struct node *node, struct request *request)
{
	request->write->replicas = raft_replicas(node->raft, request->index);
	request->write->servers = node->status.members.n;
}

static bool is_everywhere(struct node *node, struct request *request)
{
	count_replicas(node, request);
	return request->write->replicas >= request->write->servers;
}

/* It was applied, or something else was in its place. Returns whether it still
 * waits. */
static bool settle_write(struct node *node, struct request *request,
			 uint64_t first, size_t n)
{
	const struct applied *applied;

	if (request->index < first || request->index - first >= n) {
		/* A snapshot has covered it: nobody here saw what became of
		 * it. */
		finish(node, request, NODE_UNKNOWN);
		return false;
	}
	applied = &node->applied[request->index - first];
	if (applied->term != request->term) {
		finish(node, request, NODE_GONE);
		return false;
	}
	*request->write = applied->result;
	request->stage = REQUEST_COUNTED;
	if (tick_after(request->replicas_ms * TICK_MS) < request->deadline)
		request->deadline = tick_after(request->replicas_ms * TICK_MS);
	if (request->deadline < node->sweep_ns)
		node->sweep_ns = request->deadline;
	if (request->replicas_ms)
		return true;
	count_replicas(node, request);
	finish(node, request, NODE_DONE);
	return false;
}

/* What is known of it when its time is over. */
static enum node_outcome give_up(struct node *node, struct request *request)
{
	switch (request->stage) {
	case REQUEST_PROPOSED:
		return NODE_UNKNOWN;
	case REQUEST_COUNTED:
		count_replicas(node, request);
		return NODE_DONE;
	default:
		return NODE_NOBODY;
	}
}

static void settle_one(struct node *node, struct request *request,
		       uint64_t first, size_t n, bool is_led_anew)
{
	if (request->stage == REQUEST_NEW && is_led_anew) {
		take_out(&node->waiting, request);
		request->begin(node, request);
		return;
	}
	if (request->stage == REQUEST_PROPOSED &&
	    request->index <= node->status.applied &&
	    !settle_write(node, request, first, n))
		return;
	if ((request->stage == REQUEST_APPLIED &&
	     request->index <= node->status.applied) ||
	    (request->stage == REQUEST_COUNTED && is_everywhere(node, request)))
		finish(node, request, NODE_DONE);
}

/* n entries from first on have been applied, or time has passed. */
void node_settle(struct node *node, uint64_t first, size_t n)
{
	const bool is_led_anew = node->status.leader != node->led_by ||
				 node->status.term != node->led_in;
	struct request *next;

	node->led_by = node->status.leader;
	node->led_in = node->status.term;
	for (struct request *r = node->waiting.first; r; r = next) {
		next = r->next;
		settle_one(node, r, first, n, is_led_anew);
	}
}

static void sweep_list(struct node *node, struct list *list, int64_t now)
{
	struct request *next;
	enum node_outcome outcome;

	for (struct request *r = list->first; r; r = next) {
		next = r->next;
		if (r->deadline > now) {
			if (r->deadline < node->sweep_ns)
				node->sweep_ns = r->deadline;
			continue;
		}
		outcome = give_up(node, r);
		take_out(list, r);
		answer(r, outcome);
	}
}

void node_sweep(struct node *node, int64_t now)
{
	node->sweep_ns = TICK_NEVER;
	sweep_list(node, &node->waiting, now);
	sweep_list(node, &node->calls, now);
}

/* ---- peers' calls ---- */

static void begin_call(struct node *node, struct request *request)
{
	struct raft_message message = *request->message;
	int error;

	message.token = request->token = ++node->next_token;
	request->stage = REQUEST_CALL;
	error = raft_receive(node->raft, &message);
	if (error)
		answer(request, NODE_REFUSED);
	else
		add(node, &node->calls, request);
}

int node_call(struct node *node, const struct raft_message *message,
	      const void *chunk, struct raft_message *reply)
{
	struct request request = {
		.begin = begin_call,
		.deadline = tick_after(CALL_MS * TICK_MS),
		.message = message,
		.chunk = chunk,
		.reply = reply,
	};

	return make(node, &request) == NODE_DONE ? 0 : -EAGAIN;
}

struct request *node_find_call(struct node *node, uint64_t token)
{
	struct request *request = node->calls.first;

	while (request && request->token != token)
		request = request->next;
	return request;
}

/* Whose call is gone has been given up. */
void node_answer_call(struct node *node, const struct raft_message *reply)
{
	struct request *request = node_find_call(node, reply->token);

	if (!request)
		return;
	*request->reply = *reply;
	take_out(&node->calls, request);
	answer(request, NODE_DONE);
}

/* ---- the end ---- */

static void shut(struct node *node, struct request *request)
{
	node->is_shut = true;
	node_sweep(node, TICK_NEVER);
	answer(request, NODE_DONE);
}

void node_shut(struct node *node)
{
	struct request request = {.begin = shut};

	make(node, &request);
}
