/* state_sessions.c - see state_sessions.h. */
#include "p18-rpc-kv/state_sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE STATE_SESSIONS_NONE

/* ---- the table as a whole ---------------------------------------------------- */

struct state_sessions *state_sessions_new(uint32_t max)
{
	struct state_sessions *clients = calloc(1, sizeof(*clients));

	if (!clients)
		return NULL;
	clients->refs = 1;
	clients->max = max;
	clients->oldest = clients->newest = NONE;
	for (clients->n_chains = 64; clients->n_chains < max;)
		clients->n_chains *= 2;
	/* Zeros that are not touched take no memory. */
	clients->chains = calloc(clients->n_chains, sizeof(uint32_t));
	clients->clients = calloc(max, sizeof(struct state_session));
	if (!clients->chains || !clients->clients) {
		state_sessions_release(clients);
		return NULL;
	}
	return clients;
}

struct state_sessions *state_sessions_hold(struct state_sessions *clients)
{
	__atomic_fetch_add(&clients->refs, 1, __ATOMIC_RELAXED);
	return clients;
}

void state_sessions_release(struct state_sessions *clients)
{
	if (!clients ||
	    __atomic_fetch_sub(&clients->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	free(clients->chains);
	free(clients->clients);
	free(clients);
}

int state_sessions_own(struct state_sessions **clients)
{
	struct state_sessions *old = *clients, *copy;

	/* Pairs with the release of whoever let go of it. */
	if (__atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1)
		return 0;
	copy = state_sessions_new(old->max);
	if (!copy)
		return -ENOMEM;
	copy->n = old->n;
	copy->oldest = old->oldest;
	copy->newest = old->newest;
	memcpy(copy->chains, old->chains, old->n_chains * sizeof(uint32_t));
	memcpy(copy->clients, old->clients,
	       old->n * sizeof(struct state_session));
	state_sessions_release(old);
	*clients = copy;
	return 0;
}

/* ---- chains, in which 0 is the end, as zeros are what calloc gives ----------- */

/* FNV-1a. Names are random; who makes them alike finds a long chain, and
 * nothing else. */
static uint32_t *chain_of(const struct state_sessions *clients,
			  const uint8_t *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < KV_CLIENT_BYTES; i++)
		hash = (hash ^ name[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return &clients->chains[hash & (clients->n_chains - 1)];
}

static uint32_t slot_of(const struct state_sessions *clients,
			const struct state_session *client)
{
	return (uint32_t)(client - clients->clients);
}

struct state_session *state_sessions_find(const struct state_sessions *clients,
					  const void *name)
{
	uint32_t next = *chain_of(clients, name);

	while (next) {
		struct state_session *client = &clients->clients[next - 1];

		if (memcmp(client->name, name, KV_CLIENT_BYTES) == 0)
			return client;
		next = client->chain;
	}
	return NULL;
}

static void leave_chain(struct state_sessions *clients,
			const struct state_session *client)
{
	const uint32_t number = slot_of(clients, client) + 1;
	uint32_t *link = chain_of(clients, client->name);

	while (*link != number)
		link = &clients->clients[*link - 1].chain;
	*link = client->chain;
}

static void enter_chain(struct state_sessions *clients,
			struct state_session *client)
{
	uint32_t *link = chain_of(clients, client->name);

	client->chain = *link;
	*link = slot_of(clients, client) + 1;
}

/* ---- the list by use --------------------------------------------------------- */

static void leave_list(struct state_sessions *clients,
		       const struct state_session *client)
{
	if (client->before == NONE)
		clients->oldest = client->after;
	else
		clients->clients[client->before].after = client->after;
	if (client->after == NONE)
		clients->newest = client->before;
	else
		clients->clients[client->after].before = client->before;
}

static void enter_list(struct state_sessions *clients,
		       struct state_session *client)
{
	const uint32_t slot = slot_of(clients, client);

	client->before = clients->newest;
	client->after = NONE;
	if (clients->newest == NONE)
		clients->oldest = slot;
	else
		clients->clients[clients->newest].after = slot;
	clients->newest = slot;
}

void state_sessions_touch(struct state_sessions *clients,
			  struct state_session *client, uint64_t index)
{
	leave_list(clients, client);
	enter_list(clients, client);
	client->used = index;
}

struct state_session *state_sessions_add(struct state_sessions *clients,
					 const void *name, uint64_t index,
					 uint64_t *gone)
{
	struct state_session *client;

	if (clients->n < clients->max) {
		client = &clients->clients[clients->n++];
	} else {
		client = &clients->clients[clients->oldest];
		*gone = client->used;
		leave_chain(clients, client);
		leave_list(clients, client);
	}
	*client = (struct state_session){.used = index};
	memcpy(client->name, name, KV_CLIENT_BYTES);
	enter_chain(clients, client);
	enter_list(clients, client);
	return client;
}

const struct state_session *state_sessions_next(
	const struct state_sessions *clients,
	const struct state_session *client)
{
	const uint32_t next = client ? client->after : clients->oldest;

	return next == NONE ? NULL : &clients->clients[next];
}
