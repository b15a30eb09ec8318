/* What a server gives up when there are too many connections, or they idle.
 * Linked with --wrap for accept4, which fails as often as a case says. */
#include <sys/socket.h>

#include "tests/lib/rpc_server_fixture.h"

static atomic_int accepts_to_fail;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	if (atomic_load(&accepts_to_fail) > 0) {
		atomic_fetch_sub(&accepts_to_fail, 1);
		errno = EMFILE;
		return -1;
	}
	return __real_accept4(fd, address, len, flags);
}

static void idle_connection_is_closed(void **state)
{
	struct fixture f = special();
	struct rpc_client *client;
	struct rpc_fault fault;
	char byte;

	(void)state;
	f.options.idle_ns = TICK_S; /* so long a call may be on its way */
	start_server(&f);
	client = open_client(&f, RPC_TCP);
	assert_int_equal(fdio_read(rpc_client_fd(client), &byte, 1), 0);
	wait_event(RPC_SERVER_IDLE);
	/* Which a client that comes back later does not even notice. */
	assert_int_equal(call_null(client, &fault), 0);
	rpc_client_close(client);
	stop_server(&f);
}

static void longest_idle_makes_room_for_the_next(void **state)
{
	enum { ROOM = 4, MORE = 9 };
	struct fixture f = special();
	struct rpc_client *clients[MORE];
	struct rpc_fault fault;
	char byte;

	(void)state;
	f.options.max_connections = ROOM;
	start_server(&f);
	for (int i = 0; i < MORE; i++) {
		clients[i] = open_client(&f, RPC_TCP);
		assert_int_equal(call_null(clients[i], &fault), 0);
		assert_true(counts_of(&f).open <= ROOM);
	}
	/* The first ones had to go, the last ones are still there. */
	for (int i = 0; i < MORE - ROOM; i++)
		assert_int_equal(fdio_read(rpc_client_fd(clients[i]), &byte, 1),
				 0);
	assert_int_equal(call_null(clients[MORE - 1], &fault), 0);
	wait_event(RPC_SERVER_EVICTED);
	for (int i = 0; i < MORE; i++)
		rpc_client_close(clients[i]);
	stop_server(&f);
}

static void want_of_descriptors_passes(void **state)
{
	struct fixture f = special();
	struct rpc_client *first, *second;
	struct rpc_fault fault;
	char byte;

	(void)state;
	start_server(&f);
	first = open_client(&f, RPC_UNIX);
	assert_int_equal(call_null(first, &fault), 0);
	atomic_store(&accepts_to_fail, 2);
	second = open_client(&f, RPC_UNIX);
	assert_int_equal(call_null(second, &fault), 0);
	/* The first gave its descriptor away; then there was nobody left. */
	assert_int_equal(fdio_read(rpc_client_fd(first), &byte, 1), 0);
	wait_event(RPC_SERVER_EVICTED);
	assert_int_equal(atomic_load(&accepts_to_fail), 0);
	rpc_client_close(first);
	rpc_client_close(second);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODES_CASE(idle_connection_is_closed),
		MODES_CASE(longest_idle_makes_room_for_the_next),
		MODES_CASE(want_of_descriptors_passes),
	};

	return SUPPORT_MAIN(tests);
}
