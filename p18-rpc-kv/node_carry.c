/* node_carry.c - what the core says is carried out, in the order that raft.h asks
 * for. What output points to is good until the core is called again, so what must be
 * told to it (a message that no queue has taken) waits until the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/node_parts.h"

/* ---- applying ---- */

/* A value that the key has from now on. Not if the answer is an old one: to a
 * request that was done before. */
static void publish_change(struct node *node, uint64_t index,
			   const kv_change *change,
			   const kv_write_result *result)
{
	const kv_key *key = &change->key;
	char number[24];

	if (!node->cache || result->status != KV_DONE ||
	    result->revision != index)
		return;
	if (change->operation == KV_DEL) {
		cache_del(node->cache, key->kv_key_val, key->kv_key_len);
	} else if (change->operation == KV_INCR) {
		snprintf(number, sizeof(number), "%lld",
			 (long long)result->number);
		cache_put(node->cache, key->kv_key_val, key->kv_key_len, number,
			  strlen(number), index);
	} else {
		cache_put(node->cache, key->kv_key_val, key->kv_key_len,
			  change->value.kv_value_val,
			  change->value.kv_value_len, index);
	}
}

static void note_commit(struct node *node, uint64_t index,
			const kv_change *change, const kv_write_result *result)
{
	char client[2 * KV_CLIENT_BYTES + 1];

	if (!node->options.notes_commits)
		return;
	for (int i = 0; i < KV_CLIENT_BYTES; i++)
		snprintf(&client[2 * i], 3, "%02x",
			 (unsigned char)change->id.client[i]);
	node_note(node,
		  "event=commit index=%llu request=%s:%llu operation=%d "
		  "status=%d revision=%llu",
		  (unsigned long long)index, client,
		  (unsigned long long)change->id.sequence,
		  (int)change->operation, (int)result->status,
		  (unsigned long long)result->revision);
}

static void apply_change(struct node *node, uint64_t index,
			 const struct raft_entry *entry,
			 kv_write_result *result)
{
	kv_change change = {0};
	XDR xdrs;
	int error;

	xdrmem_create(&xdrs, (char *)(uintptr_t)entry->command,
		      (u_int)entry->len, XDR_DECODE);
	if (xdr_kv_change(&xdrs, &change))
		error = state_apply(node->state, index, &change, result);
	else
		error = state_apply_bytes(node->state, index, entry->command,
					  entry->len, result);
	if (error)
		node_fail(node, "cannot apply entry %llu: %s",
			  (unsigned long long)index, strerror(-error));
	publish_change(node, index, &change, result);
	note_commit(node, index, &change, result);
	xdr_free((xdrproc_t)xdr_kv_change, (char *)&change);
}

static void apply_one(struct node *node, uint64_t index,
		      const struct raft_entry *entry, struct applied *applied)
{
	*applied = (struct applied){.term = entry->term};
	node->log_bytes += entry->len + WAL_RECORD_BYTES;
	if (entry->kind == RAFT_CHANGE) {
		apply_change(node, index, entry, &applied->result);
		node->writes++;
		return;
	}
	if (state_skip(node->state, index))
		node_fail(node, "cannot skip entry %llu",
			  (unsigned long long)index);
	applied->result.revision = index;
	if (entry->kind == RAFT_MEMBERS)
		node_note(node, "event=members index=%llu",
			  (unsigned long long)index);
}

/* Readers see it from now on. */
void node_publish_view(struct node *node)
{
	struct state_view *view, *old;

	if (state_view(node->state, &view))
		node_fail(node, "no memory for a view of the state");
	pthread_mutex_lock(&node->view_lock);
	old = node->view;
	node->view = view;
	pthread_mutex_unlock(&node->view_lock);
	state_release(old);
}

static void apply(struct node *node, const struct raft_output *output)
{
	struct applied *larger;

	if (output->n_apply > node->applied_room) {
		larger = realloc(node->applied,
				 output->n_apply * sizeof(*larger));
		if (!larger)
			node_fail(node, "no memory to apply");
		node->applied = larger;
		node->applied_room = output->n_apply;
	}
	for (size_t i = 0; i < output->n_apply; i++)
		apply_one(node, output->apply_first + i, &output->apply[i],
			  &node->applied[i]);
	if (output->n_apply > 0)
		node_publish_view(node);
}

void node_replace_state(struct node *node, struct state *state)
{
	state_free(node->state);
	node->state = state;
	if (node->cache)
		cache_clear(node->cache);
	node_publish_view(node);
}

/* ---- the cache ---- */

static void publish_read(struct node *node, const struct state_view *view,
			 const kv_key *key)
{
	kv_get_result found = {0};

	if (state_get(view, key, &found) == 0 && found.status == KV_DONE)
		cache_put(node->cache, key->kv_key_val, key->kv_key_len,
			  found.value.kv_value_val, found.value.kv_value_len,
			  found.revision);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&found);
}

static void publish_recent(struct node *node)
{
	kv_key recent[NODE_RECENT];
	struct state_view *view;
	unsigned int n;

	pthread_mutex_lock(&node->view_lock);
	n = node->n_recent;
	memcpy(recent, node->recent, n * sizeof(recent[0]));
	node->n_recent = 0;
	view = n ? state_hold(node->view) : NULL;
	pthread_mutex_unlock(&node->view_lock);
	for (unsigned int i = 0; i < n; i++) {
		publish_read(node, view, &recent[i]);
		free(recent[i].kv_key_val);
	}
	state_release(view);
}

/* Before anybody is answered: the cache then has what they were told. */
static void note_cache(struct node *node)
{
	int error;

	if (!node->cache)
		return;
	publish_recent(node);
	error = cache_note(node->cache, state_count(node->state).applied,
			   node_fresh(node));
	if (error && error != node->cache_error)
		node_note(node, "event=cache error=\"%s\"", strerror(-error));
	node->cache_error = error;
}

/* ---- looking what has changed ---- */

static void note_role(struct node *node, const struct raft_status *before)
{
	const struct raft_status *now = &node->status;

	if (now->role == before->role && now->term == before->term &&
	    now->leader == before->leader)
		return;
	node_note(
		node, "event=%s term=%llu leader=%llu last=%llu commit=%llu",
		now->role == RAFT_LEADER      ? "leader"
		: now->role == RAFT_CANDIDATE ? "candidate"
					      : "follower",
		(unsigned long long)now->term, (unsigned long long)now->leader,
		(unsigned long long)now->last, (unsigned long long)now->commit);
}

static void count_reachable(struct node *node)
{
	unsigned int n = 1;

	for (const struct link *link = node->links; link; link = link->next)
		n += peer_is_reachable(link->votes);
	atomic_store_explicit(&node->reachable, n, memory_order_relaxed);
	atomic_store_explicit(&node->servers, node->status.members.n,
			      memory_order_relaxed);
}

static void look_around(struct node *node)
{
	const struct raft_status before = node->status;

	raft_status(node->raft, &node->status);
	note_role(node, &before);
	if (!members_are_same(&node->linked, &node->status.members))
		node_link_members(node);
	count_reachable(node);
}

/* ---- the order ---- */

static void hand_to_writer(struct node *node, const struct raft_write *write)
{
	if (write && writer_put(node->writer, write, node->snapshot))
		node_fail(node, "no memory to write the log");
}

void node_carry_out(struct node *node)
{
	struct raft_output output;

	raft_output(node->raft, &output);
	node->wake_ns = output.wake_ns;
	hand_to_writer(node, output.write);
	for (size_t i = 0; i < output.n_chunks; i++)
		node_take_chunk(node, &output.chunks[i]);
	for (size_t i = 0; i < output.n_messages; i++)
		node_send(node, &output.messages[i]);
	apply(node, &output);
	for (size_t i = 0; i < output.n_reads; i++)
		node_confirm(node, &output.reads[i]);
	note_cache(node);
	node_lose_unsent(node);
	if (node->has_bad_chunk)
		raft_install_failed(node->raft);
	node->has_bad_chunk = false;
	look_around(node);
	node_settle(node, output.apply_first, output.n_apply);
	node_take_snapshot(node);
}
