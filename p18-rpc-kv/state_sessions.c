/* state_sessions.c - see state_sessions.h. */
#include "p18-rpc-kv/state_sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE STATE_SESSIONS_NONE

/* ---- the table as a whole ---------------------------------------------------- */

struct state_sessions *state_sessions_new(uint32_t max)
{
	struct state_sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return NULL;
	sessions->refs = 1;
	sessions->max = max;
	sessions->oldest = sessions->newest = NONE;
	for (sessions->n_chains = 64; sessions->n_chains < max;)
		sessions->n_chains *= 2;
	/* Zeros that are not touched take no memory. */
	sessions->chains = calloc(sessions->n_chains, sizeof(uint32_t));
	sessions->sessions = calloc(max, sizeof(struct state_session));
	if (!sessions->chains || !sessions->sessions) {
		state_sessions_release(sessions);
		return NULL;
	}
	return sessions;
}

struct state_sessions *state_sessions_hold(struct state_sessions *sessions)
{
	__atomic_fetch_add(&sessions->refs, 1, __ATOMIC_RELAXED);
	return sessions;
}

void state_sessions_release(struct state_sessions *sessions)
{
	if (!sessions ||
	    __atomic_fetch_sub(&sessions->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	free(sessions->chains);
	free(sessions->sessions);
	free(sessions);
}

int state_sessions_own(struct state_sessions **sessions)
{
	struct state_sessions *old = *sessions, *copy;

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
	memcpy(copy->sessions, old->sessions,
	       old->n * sizeof(struct state_session));
	state_sessions_release(old);
	*sessions = copy;
	return 0;
}

/* ---- chains, in which 0 is the end, as zeros are what calloc gives ----------- */

/* FNV-1a. Names are random; who makes them alike finds a long chain, and
 * nothing else. */
static uint32_t *chain_of(const struct state_sessions *sessions,
			  const uint8_t *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < KV_CLIENT_BYTES; i++)
		hash = (hash ^ name[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return &sessions->chains[hash & (sessions->n_chains - 1)];
}

static uint32_t index_of(const struct state_sessions *sessions,
			 const struct state_session *session)
{
	return (uint32_t)(session - sessions->sessions);
}

struct state_session *state_sessions_find(const struct state_sessions *sessions,
					  const void *name)
{
	uint32_t next = *chain_of(sessions, name);

	while (next) {
		struct state_session *session = &sessions->sessions[next - 1];

		if (memcmp(session->name, name, KV_CLIENT_BYTES) == 0)
			return session;
		next = session->chain;
	}
	return NULL;
}

static void leave_chain(struct state_sessions *sessions,
			const struct state_session *session)
{
	const uint32_t number = index_of(sessions, session) + 1;
	uint32_t *link = chain_of(sessions, session->name);

	while (*link != number)
		link = &sessions->sessions[*link - 1].chain;
	*link = session->chain;
}

static void enter_chain(struct state_sessions *sessions,
			struct state_session *session)
{
	uint32_t *link = chain_of(sessions, session->name);

	session->chain = *link;
	*link = index_of(sessions, session) + 1;
}

/* ---- the list by use --------------------------------------------------------- */

static void leave_list(struct state_sessions *sessions,
		       const struct state_session *session)
{
	if (session->before == NONE)
		sessions->oldest = session->after;
	else
		sessions->sessions[session->before].after = session->after;
	if (session->after == NONE)
		sessions->newest = session->before;
	else
		sessions->sessions[session->after].before = session->before;
}

static void enter_list(struct state_sessions *sessions,
		       struct state_session *session)
{
	const uint32_t index = index_of(sessions, session);

	session->before = sessions->newest;
	session->after = NONE;
	if (sessions->newest == NONE)
		sessions->oldest = index;
	else
		sessions->sessions[sessions->newest].after = index;
	sessions->newest = index;
}

void state_sessions_touch(struct state_sessions *sessions,
			  struct state_session *session, uint64_t index)
{
	leave_list(sessions, session);
	enter_list(sessions, session);
	session->used = index;
}

struct state_session *state_sessions_add(struct state_sessions *sessions,
					 const void *name, uint64_t index,
					 uint64_t *gone)
{
	struct state_session *session;

	if (sessions->n < sessions->max) {
		session = &sessions->sessions[sessions->n++];
	} else {
		session = &sessions->sessions[sessions->oldest];
		*gone = session->used;
		leave_chain(sessions, session);
		leave_list(sessions, session);
	}
	*session = (struct state_session){.used = index};
	memcpy(session->name, name, KV_CLIENT_BYTES);
	enter_chain(sessions, session);
	enter_list(sessions, session);
	return session;
}

const struct state_session *state_sessions_next(
	const struct state_sessions *sessions,
	const struct state_session *session)
{
	const uint32_t next = session ? session->after : sessions->oldest;

	return next == NONE ? NULL : &sessions->sessions[next];
}
