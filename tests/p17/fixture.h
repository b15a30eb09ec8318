/* What the tests of p17 share: keys of a server and two users, a clock that
 * is set by hand, and calls as their credentials alone. */
#ifndef UNIXIPC_TESTS_P17_FIXTURE_H
#define UNIXIPC_TESTS_P17_FIXTURE_H

#include <rpc/rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_auth.h"
#include "p17-rpc-auth/authdh/authdh_client.h"
#include "p17-rpc-auth/authdh/authdh_cred.h"
#include "p17-rpc-auth/authdh/authdh_server.h"
#include "tests/support/support.h"

enum { SERVER, ALICE, BOB, HOST, PEOPLE };

#define SECOND INT64_C(1000000)
#define START (INT64_C(1800000000) * SECOND)

/* Microseconds since 1970, of the server and of the clients. */
struct clocks {
	_Atomic int64_t server, client;
};

struct people {
	struct keys_entry secret[PEOPLE];
	struct keys_entry public_[PEOPLE]; /* sorted as keys are */
	struct keys publics;
	struct clocks clocks;
	const char *floors; /* path, or NULL */
	struct authdh_server *server;
};

/* A credential and a verifier as they go over the wire. */
struct message {
	uint8_t bytes[1024];
	struct rpc_call call;
};

static inline int64_t server_clock(void *arg)
{
	return ((struct clocks *)arg)->server;
}

static inline int64_t client_clock(void *arg)
{
	return ((struct clocks *)arg)->client;
}

/* publics is sorted by name: they are made in that order. */
static inline void people_init(struct people *people)
{
	static const char *const names[PEOPLE] = {
		[ALICE] = "unix.1000@test",
		[BOB] = "unix.1001@test",
		[HOST] = "unix.relay@test",
		[SERVER] = "unix.aserver@test",
	};
	static const int order[PEOPLE] = {ALICE, BOB, SERVER, HOST};

	memset(people, 0, sizeof(*people));
	for (int i = 0; i < PEOPLE; i++) {
		int who = order[i];

		snprintf(people->secret[who].name, NETNAME_MAX, "%s",
			 names[who]);
		snprintf(people->public_[i].name, NETNAME_MAX, "%s",
			 names[who]);
		assert_int_equal(dh_generate(people->secret[who].key,
					     people->public_[i].key),
				 0);
	}
	people->publics = (struct keys){people->public_, PEOPLE};
	people->clocks.server = people->clocks.client = START;
}

static inline void people_open_server(struct people *people,
				      size_t conversations)
{
	const struct authdh_server_options options = {
		.publics = &people->publics,
		.secret = &people->secret[SERVER],
		.floors_path = people->floors,
		.conversations = conversations,
		.now_us = server_clock,
		.arg = &people->clocks,
	};

	assert_int_equal(authdh_server_open(&people->server, &options), 0);
}

static inline AUTH *people_client(struct people *people, int who)
{
	const struct authdh_client_options options = {
		.secret = &people->secret[who],
		.server = keys_find(&people->publics,
				    people->secret[SERVER].name),
		.window_s = 60,
		.now_us = client_clock,
		.arg = &people->clocks,
	};
	AUTH *auth;

	assert_int_equal(authdh_client_create(&auth, &options), 0);
	return auth;
}

/* The next call of auth. Its credential begins at the 24th byte. */
static inline void message_make(struct message *message, AUTH *auth)
{
	XDR xdrs;
	uint8_t *to = message->bytes;

	to = rpc_message_put32(to, 1); /* xid */
	to = rpc_message_put32(to, CALL);
	to = rpc_message_put32(to, RPC_MSG_VERSION);
	to = rpc_message_put32(to, 2);
	to = rpc_message_put32(to, 1);
	to = rpc_message_put32(to, 0);
	xdrmem_create(&xdrs, (char *)to, sizeof(message->bytes) - 24,
		      XDR_ENCODE);
	assert_true(AUTH_MARSHALL(auth, &xdrs));
	assert_int_equal(rpc_message_decode_call(message->bytes,
						 24 + xdr_getpos(&xdrs),
						 &message->call),
			 0);
}

/* A call points into its message. */
static inline void message_copy(struct message *copy,
				const struct message *message)
{
	memcpy(copy->bytes, message->bytes, sizeof(copy->bytes));
	assert_int_equal(rpc_message_decode_call(
				 copy->bytes,
				 (size_t)(message->call.args - message->bytes) +
					 message->call.args_bytes,
				 &copy->call),
			 0);
}

/* What the server says to it. */
static inline enum auth_stat message_ask(const struct people *people,
					 const struct message *message,
					 struct rpc_identity *who,
					 struct rpc_verifier *verf)
{
	const struct rpc_auth_flavor *flavor =
		authdh_server_flavor(people->server);
	const struct rpc_peer peer = {.transport = RPC_TCP};

	memset(who, 0, sizeof(*who));
	memset(verf, 0, sizeof(*verf));
	who->flavor = AUTH_DH;
	return flavor->verify(flavor->state, &message->call, &peer, who, verf);
}

static inline bool client_accepts(AUTH *auth, struct rpc_verifier *verf)
{
	struct opaque_auth raw = {
		.oa_flavor = (enum_t)verf->flavor,
		.oa_base = (char *)verf->body,
		.oa_length = verf->bytes,
	};

	return AUTH_VALIDATE(auth, &raw);
}

/* One call, there and back. */
static inline enum auth_stat people_call(struct people *people, AUTH *auth,
					 struct rpc_identity *who)
{
	struct message message;
	struct rpc_verifier verf;
	enum auth_stat why;

	message_make(&message, auth);
	why = message_ask(people, &message, who, &verf);
	if (why == AUTH_OK)
		assert_true(client_accepts(auth, &verf));
	return why;
}

#endif
