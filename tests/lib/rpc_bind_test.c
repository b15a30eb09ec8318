/* Registration with a real rpcbind.
 * sandbox: --rpcbind */
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_lookup.h"
#include "tests/lib/rpc_fixture.h"

#define LIMIT (60 * TICK_S)

/* Where rpcbind says that it is, over TCP or UDP of IPv4. */
static bool is_registered(enum rpc_transport transport, uint32_t version,
			  uint16_t *port)
{
	const struct rpc_lookup what = {PROGRAM, version, transport, 0};
	struct rpc_address host[RPC_ADDRESS_MOST];
	struct rpc_fault fault;
	int error;

	assert_int_equal(rpc_address_resolve(host, "127.0.0.1",
					     tick_after(LIMIT), &error),
			 1);
	rpc_lookup_port(&what, &host[0], tick_after(LIMIT), port, &fault);
	if (fault.kind == RPC_FAULT_NOT_REGISTERED)
		return false;
	assert_int_equal(fault.kind, RPC_FAULT_NONE);
	return true;
}

static void registered_program_is_found_and_removed(void **state)
{
	struct fixture *f = *state;
	struct rpc_bind_service service;
	uint16_t port;

	rpc_server_service(f->server, &service);
	assert_false(is_registered(RPC_TCP, VERSION, &port));
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	assert_true(is_registered(RPC_TCP, VERSION, &port));
	assert_int_equal(port, service.tcp_port);
	assert_true(is_registered(RPC_UDP, VERSION + 2, &port));
	assert_int_equal(port, service.udp_port);
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
	assert_false(is_registered(RPC_TCP, VERSION, &port));
	assert_false(is_registered(RPC_UDP, VERSION + 2, &port));
	/* Nothing left to remove is no error. */
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
}

/* Every transport, with the port that rpcbind tells. */
static void client_finds_the_server_by_rpcbind(void **state)
{
	struct fixture *f = *state;
	struct rpc_bind_service service;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t sum;

	rpc_server_service(f->server, &service);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	for (int t = RPC_TCP; t <= RPC_UDP; t++) {
		struct rpc_client_options options =
			client_options(f, (enum rpc_transport)t);

		options.port = 0;
		options.host = "localhost";
		assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
		assert_int_equal(
			rpc_client_port(client),
			rpc_server_port(f->server, (enum rpc_transport)t));
		assert_int_equal(call_add(client, 2, 3, &sum, &fault), 0);
		assert_int_equal(sum, 5);
		rpc_client_close(client);
	}
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
}

static void unknown_program_is_not_registered(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct rpc_client *client;
	struct rpc_fault fault;

	options.port = 0;
	options.program = PROGRAM + 77;
	assert_int_equal(rpc_client_open(&client, &options, &fault),
			 RPC_FAULT_NOT_REGISTERED);
	assert_int_equal(rpc_fault_status(&fault), 5);
	assert_false(rpc_fault_is_unknown(&fault));
}

/* A socket that is bound and closed again: a port where nobody is. */
static uint16_t dead_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

/* What a server left that was killed: it never unset. */
static void dead_servers_registration_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct rpc_bind_service dead, service;
	uint16_t port;

	rpc_server_service(f->server, &service);
	dead = service;
	dead.tcp_port = dead_port();
	dead.udp_port = dead.tcp_port;
	dead.unix_path = "/tmp/nobody-is-here";
	assert_int_equal(rpc_bind_set(&dead, tick_after(LIMIT)), 0);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	assert_true(is_registered(RPC_TCP, VERSION, &port));
	assert_int_equal(port, service.tcp_port);
	/* Nor does the dead one's end remove ours. */
	assert_int_equal(rpc_bind_unset(&dead, tick_after(LIMIT)), 0);
	assert_true(is_registered(RPC_UDP, VERSION, &port));
	/* Once more is no error: the same addresses, as with a fixed port. */
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
	assert_false(is_registered(RPC_UDP, VERSION, &port));
}

/* The dead one had the ports that we have now, but said another address: we
 * may not take ourselves for it, who do not answer before we run. */
static void own_port_is_not_taken_for_a_living_server(void **state)
{
	struct rpc_server_options options = all_transports();
	struct rpc_bind_service dead, service;
	struct rpc_server *server;

	(void)state;
	options.unix_path = NULL;
	assert_int_equal(rpc_server_open(&server, &options), 0);
	rpc_server_service(server, &service);
	dead = service;
	dead.host = NULL;
	assert_int_equal(rpc_bind_set(&dead, tick_after(LIMIT)), 0);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
	rpc_server_close(server);
}

static void living_servers_registration_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct fixture other = {.options = all_transports()};
	struct rpc_bind_service first, second;
	uint16_t port;

	other.options.unix_path = "/tmp/p16-other.sock";
	start_server(&other);
	rpc_server_service(f->server, &first);
	rpc_server_service(other.server, &second);
	assert_int_equal(rpc_bind_set(&first, tick_after(LIMIT)), 0);
	assert_int_equal(rpc_bind_set(&second, tick_after(LIMIT)), -EADDRINUSE);
	assert_true(is_registered(RPC_TCP, VERSION, &port));
	assert_int_equal(port, first.tcp_port);
	assert_int_equal(rpc_bind_unset(&first, tick_after(LIMIT)), 0);
	stop_server(&other);
}

/* A client that knows a server by rpcbind finds its successor, elsewhere. */
static void client_follows_a_server_that_moved(void **state)
{
	struct fixture *f = *state;
	struct rpc_client_options options = client_options(f, RPC_TCP);
	struct rpc_bind_service service;
	struct rpc_client *client;
	struct rpc_fault fault;

	rpc_server_service(f->server, &service);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	options.port = 0;
	options.retries = 20;
	options.may_repeat = true;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_null(client, &fault), 0);

	stop_server(f);
	f->options.tcp_port = 0;
	start_server(f);
	rpc_server_service(f->server, &service);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	assert_int_equal(call_null(client, &fault), 0);
	assert_int_equal(rpc_client_port(client), service.tcp_port);
	rpc_client_close(client);
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
}

static void without_rpcbind_there_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct rpc_bind_service service;

	rpc_server_service(f->server, &service);
	service.rpcbind_path = "/tmp/no-rpcbind";
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), -ENOENT);
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), -ENOENT);
}

/* ---- a server in a network namespace of its own ---- */

struct far {
	struct rpc_bind_service service;
	int set, set_again, unset;
};

static void *register_far(void *arg)
{
	struct far *far = arg;

	/* The namespace is this thread's alone. */
	if (unshare(CLONE_NEWNET)) {
		far->set = -errno;
		return NULL;
	}
	far->set = rpc_bind_set(&far->service, tick_after(LIMIT));
	far->set_again = rpc_bind_set(&far->service, tick_after(LIMIT));
	far->unset = rpc_bind_unset(&far->service, tick_after(LIMIT));
	return NULL;
}

static void run_far(struct far *far, const struct fixture *f)
{
	pthread_t thread;

	rpc_server_service(f->server, &far->service);
	far->service.tcp_port = far->service.udp_port = dead_port();
	far->service.unix_path = NULL;
	assert_int_equal(pthread_create(&thread, NULL, register_far, far), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* There nobody answers at our port: they would take us for dead. */
static void registration_that_cannot_be_judged_is_kept(void **state)
{
	struct fixture *f = *state;
	struct rpc_bind_service service;
	struct far far;
	uint16_t port;

	rpc_server_service(f->server, &service);
	assert_int_equal(rpc_bind_set(&service, tick_after(LIMIT)), 0);
	run_far(&far, f);
	assert_int_equal(far.set, -EXDEV);
	assert_int_equal(far.set_again, -EXDEV);
	assert_int_equal(far.unset, 0);
	for (int t = RPC_TCP; t <= RPC_UDP; t++) {
		assert_true(
			is_registered((enum rpc_transport)t, VERSION, &port));
		assert_int_equal(port, rpc_server_port(f->server,
						       (enum rpc_transport)t));
	}
	assert_int_equal(rpc_bind_unset(&service, tick_after(LIMIT)), 0);
}

/* Its address may lead there all the same, by a port that is passed on. */
static void far_server_may_register_where_nobody_is(void **state)
{
	struct far far;
	uint16_t port;

	run_far(&far, *state);
	assert_int_equal(far.set, 0);
	assert_int_equal(far.set_again, -EXDEV);
	assert_int_equal(far.unset, 0);
	assert_false(is_registered(RPC_TCP, VERSION, &port));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(registered_program_is_found_and_removed),
		CASE(client_finds_the_server_by_rpcbind),
		CASE(unknown_program_is_not_registered),
		CASE(dead_servers_registration_is_replaced),
		cmocka_unit_test(own_port_is_not_taken_for_a_living_server),
		CASE(living_servers_registration_is_left_alone),
		CASE(registration_that_cannot_be_judged_is_kept),
		CASE(far_server_may_register_where_nobody_is),
		CASE(client_follows_a_server_that_moved),
		CASE(without_rpcbind_there_is_an_error),
	};
	return SUPPORT_MAIN(tests);
}
