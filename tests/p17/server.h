/* A server of p17 in a thread, with all its transports, and credentials of
 * each way to call it. For one test program: it has globals. */
#ifndef UNIXIPC_TESTS_P17_SERVER_H
#define UNIXIPC_TESTS_P17_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p17-rpc-auth/service.h"
#include "p17-rpc-auth/sums.h"
#include "tests/p17/fixture.h"

#define SOCKET "/tmp/p17_test.socket"
#define LONG_NS (60 * TICK_S)

enum way { NONE, SYS_TCP, SYS_UNIX, DES, WAYS };

static struct people people;
static struct service service;
static struct rpc_server *server;
static pthread_t thread;
static int stop[2];
static atomic_int to_lose;

static inline void *run(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)rpc_server_run(server, stop[0]);
}

static inline bool loses_reply(const struct rpc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return atomic_fetch_sub_explicit(&to_lose, 1, memory_order_relaxed) > 0;
}

static inline void start_on(enum service_auth auth, uint16_t port)
{
	struct rpc_server_options options = {
		.host = "127.0.0.1",
		.has_tcp = true,
		.has_udp = true,
		.tcp_port = port,
		.unix_path = SOCKET,
		.loses_reply = loses_reply,
	};

	if (auth == SERVICE_DES) {
		const struct authdh_server_options dh = {
			.publics = &people.publics,
			.secret = &people.secret[SERVER],
		};

		assert_int_equal(authdh_server_open(&people.server, &dh), 0);
	}
	service.auth = auth;
	service.dh = people.server;
	policy_init(&service.policy, service_procedures);
	assert_int_equal(policy_add(&service.policy, "* anybody"), 0);
	service_dispatch(&service, &options.dispatch);
	to_lose = 0;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(rpc_server_open(&server, &options), 0);
	assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

static inline void start(enum service_auth auth)
{
	people_init(&people);
	start_on(auth, 0);
}

static inline int end(void **state)
{
	void *result;

	(void)state;
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	rpc_server_close(server);
	authdh_server_close(people.server);
	people.server = NULL;
	close(stop[0]);
	close(stop[1]);
	return 0;
}

/* Alice; or Bob, who says that he is Alice. */
static inline AUTH *make_des(bool is_spoofed)
{
	struct keys_entry secret = people.secret[is_spoofed ? BOB : ALICE];
	const struct authdh_client_options options = {
		.secret = &secret,
		.server =
			keys_find(&people.publics, people.secret[SERVER].name),
	};
	AUTH *auth;

	memcpy(secret.name, people.secret[ALICE].name, sizeof(secret.name));
	assert_int_equal(authdh_client_create(&auth, &options), 0);
	return auth;
}

/* With our own uid on the Unix socket, as a true one would be. */
static inline AUTH *make_auth(enum way way, bool is_spoofed)
{
	uid_t uid = way == SYS_UNIX ? geteuid() : 54321;
	AUTH *auth;

	if (way == NONE)
		return authnone_create();
	if (way == DES)
		return make_des(is_spoofed);
	auth = authunix_create("machine-x", is_spoofed ? uid + 1 : uid,
			       getegid(), 0, NULL);
	assert_non_null(auth);
	return auth;
}

#endif
