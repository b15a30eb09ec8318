/* durable.c - what is to be written, and the messages that wait until it is.
 *
 * A server may not say what a crash makes it forget (paper, 5.1: "servers
 * update their persistent state before responding to RPCs"). One rule for all
 * messages: term and vote as they were when the message was made are durable
 * before it goes, and of an acknowledgement the entries, too. While a message
 * waits the server may go on, to another term, say: then the message is like
 * one that the network has delayed. */
#include "p18-rpc-kv/raft/durable.h"

#include <errno.h>
#include <string.h>

#include "p18-rpc-kv/raft/vector.h"

int durable_reserve(struct raft *raft, size_t n)
{
	const size_t wanted = raft->n_held + n;
	struct held *held = vector_reserve(raft->held, &raft->held_room, wanted,
					   sizeof(*held));
	struct raft_message *ready;

	if (!held)
		return -ENOMEM;
	raft->held = held;
	ready = vector_reserve(raft->ready, &raft->ready_room, wanted,
			       sizeof(*ready));
	if (!ready)
		return -ENOMEM;
	raft->ready = ready;
	return 0;
}

struct raft_message durable_message(const struct raft *raft,
				    enum raft_message_kind kind, uint64_t to)
{
	return (struct raft_message){
		.kind = kind,
		.from = raft->options.id,
		.to = to,
		.term = raft->term,
	};
}

struct raft_message durable_reply(const struct raft *raft,
				  const struct raft_message *request)
{
	struct raft_message reply =
		durable_message(raft, request->kind + 1, request->from);

	reply.token = request->token;
	return reply;
}

/* ---- which write ---- */

/* The write that makes this entry durable; 0: it is. */
static uint64_t write_of_entry(const struct raft *raft, uint64_t index)
{
	if (index <= raft->durable)
		return 0;
	for (size_t i = 0; i < raft->n_marks; i++)
		if (raft->marks[i].last >= index)
			return raft->marks[i].number;
	return raft->n_writes + 1;
}

void durable_send(struct raft *raft, const struct raft_message *message,
		  uint64_t index)
{
	uint64_t needs = write_of_entry(raft, index);

	if (needs < raft->vote_write)
		needs = raft->vote_write;
	raft->held[raft->n_held++] = (struct held){needs, *message};
}

void durable_vote_changed(struct raft *raft)
{
	raft->is_vote_changed = true;
	raft->vote_write = raft->n_writes + 1;
}

void durable_replaced(struct raft *raft, uint64_t first)
{
	if (raft->written >= first)
		raft->written = first - 1;
	if (raft->durable >= first)
		raft->durable = first - 1;
	for (size_t i = 0; i < raft->n_marks; i++)
		if (raft->marks[i].last >= first)
			raft->marks[i].last = first - 1;
}

void durable_reset(struct raft *raft, uint64_t index)
{
	durable_replaced(raft, 1);
	raft->written = index;
	raft->durable = index;
	raft->is_reset = true;
}

void durable_persisted(struct raft *raft, uint64_t number)
{
	size_t n = 0;

	while (n < raft->n_marks && raft->marks[n].number <= number) {
		if (raft->durable < raft->marks[n].last)
			raft->durable = raft->marks[n].last;
		n++;
	}
	raft->n_marks -= n;
	if (n)
		memmove(raft->marks, &raft->marks[n],
			raft->n_marks * sizeof(*raft->marks));
}

uint64_t durable_number(const struct raft *raft)
{
	return raft->n_marks ? raft->marks[0].number - 1 : raft->n_writes;
}

/* ---- output ---- */

const struct raft_write *durable_write(struct raft *raft)
{
	const uint64_t last = core_last(raft);
	struct write_mark *marks;

	if (!raft->is_vote_changed && !raft->is_reset && raft->written == last)
		return NULL;
	marks = vector_reserve(raft->marks, &raft->marks_room,
			       raft->n_marks + 1, sizeof(*marks));
	if (!marks)
		return NULL; /* with the next output */
	raft->marks = marks;
	raft->write = (struct raft_write){
		.number = ++raft->n_writes,
		.has_vote = raft->is_vote_changed,
		.term = raft->term,
		.vote = raft->vote,
		.is_reset = raft->is_reset,
	};
	if (raft->is_reset || raft->written < last) {
		raft->write.first = raft->written + 1;
		raft->write.entries = entries_at(&raft->log, raft->written + 1);
		raft->write.n = last - raft->written;
	}
	marks[raft->n_marks++] = (struct write_mark){
		raft->n_writes, raft->written < last ? last : 0};
	raft->is_vote_changed = false;
	raft->is_reset = false;
	raft->written = last;
	return &raft->write;
}

struct raft_message *durable_ready(struct raft *raft)
{
	struct raft_message *ready =
		vector_reserve(raft->ready, &raft->ready_room,
			       raft->n_ready + 1, sizeof(*ready));

	if (!ready)
		return NULL;
	raft->ready = ready;
	return &ready[raft->n_ready++];
}

void durable_release(struct raft *raft)
{
	const uint64_t durable = durable_number(raft);
	size_t kept = 0;

	for (size_t i = 0; i < raft->n_held; i++)
		if (raft->held[i].needs <= durable)
			raft->ready[raft->n_ready++] = raft->held[i].message;
		else
			raft->held[kept++] = raft->held[i];
	raft->n_held = kept;
}
