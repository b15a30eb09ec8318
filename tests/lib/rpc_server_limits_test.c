/* What a server gives up when there are too many connections, or they idle.
 * Linked with --wrap for accept4 and shutdown, which fail when a case says so. */
#include <sys/socket.h>

#include "tests/lib/rpc_hostile_fixture.h"
#include "tests/lib/rpc_server_fixture.h"

enum { ADD_NOTHING = 0 };

static atomic_int accepts_to_fail, accepts;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	atomic_fetch_add(&accepts, 1);
	if (atomic_load(&accepts_to_fail) > 0) {
		atomic_fetch_sub(&accepts_to_fail, 1);
		errno = EMFILE;
		return -1;
	}
	return __real_accept4(fd, address, len, flags);
}

static atomic_bool is_slow_to_leave;
static atomic_int endings;
static int64_t ended_at[2];

/* What the server ends stays, while is_slow_to_leave. */
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
	int n;

	if (!atomic_load(&is_slow_to_leave))
		return __real_shutdown(fd, how);
	n = atomic_load(&endings);
	if (n < 2)
		ended_at[n] = tick_now();
	atomic_store(&endings, n + 1);
	return 0;
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
	atomic_store(&accepts_to_fail, 6);
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

/* ---- whose connections they are ---- */

static bool are_closed(void *arg)
{
	return counts_of(arg).closed_by_us >= 30;
}

static void one_address_loses_its_own_connections(void **state)
{
	enum { ROOM = 12, HONEST = 4, MANY = ROOM - HONEST + 30 };
	struct fixture f = special();
	struct rpc_client *honest[HONEST];
	struct rpc_fault fault;
	int fds[MANY];
	char byte;

	(void)state;
	f.options.max_connections = ROOM;
	start_server(&f);
	for (int i = 0; i < HONEST; i++) {
		honest[i] = open_client(&f, RPC_TCP);
		assert_int_equal(call_null(honest[i], &fault), 0);
	}
	/* They are idle for longer than all that come now. */
	for (int i = 0; i < MANY; i++)
		fds[i] = connect_from(&f, "127.0.0.2");
	assert_true(support_wait_until(are_closed, &f, 60000));
	for (int i = 0; i < HONEST; i++) {
		assert_int_equal(
			recv(rpc_client_fd(honest[i]), &byte, 1, MSG_DONTWAIT),
			-1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(call_null(honest[i], &fault), 0);
		rpc_client_close(honest[i]);
	}
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	stop_server(&f);
}

static bool are_two_ended(void *unused)
{
	(void)unused;
	return atomic_load(&endings) >= 2;
}

/* A loop that gets no processor, say: meanwhile others are not ended instead. */
static void who_is_slow_to_leave_costs_no_other_its_connection(void **state)
{
	enum { ROOM = 4 };
	struct fixture f = special();
	int fds[ROOM + 1];

	(void)state;
	f.options.max_connections = ROOM;
	start_server(&f);
	atomic_store(&endings, 0);
	atomic_store(&is_slow_to_leave, true);
	for (int i = 0; i < ROOM + 1; i++)
		fds[i] = connect_from(&f, "127.0.0.2");
	assert_true(support_wait_until(are_two_ended, NULL, 60000));
	atomic_store(&is_slow_to_leave, false);
	assert_true(ended_at[1] - ended_at[0] >= TICK_S);
	for (int i = 0; i < ROOM + 1; i++)
		close(fds[i]);
	stop_server(&f);
}

/* ---- descriptors used up ---- */

struct caller {
	const struct fixture *f;
	struct rpc_client *client;
	atomic_bool is_over;
	int failed, calls;
};

static void *keep_calling(void *arg)
{
	struct caller *caller = arg;
	struct rpc_fault fault;
	int32_t sum;

	while (!atomic_load(&caller->is_over)) {
		if (call_add(caller->client, 1, 2, &sum, &fault) || sum != 3)
			caller->failed++;
		caller->calls++;
	}
	return NULL;
}

static bool is_refused(void *arg)
{
	char byte;
	ssize_t n = recv(*(int *)arg, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* There are no descriptors, and nobody is idle: those who come are told so,
 * those who are there are served, and nobody spins meanwhile. */
static void without_descriptors_those_who_are_there_are_served(void **state)
{
	struct fixture f = special();
	struct caller caller = {.f = &f};
	struct rlimit before, none;
	struct rpc_fault fault;
	pthread_t thread;
	int fds[3];

	(void)state;
	/* Who does not call for 100 ms is idle. */
	support_need_no_valgrind("its one thread at a time delays the caller");
	start_server(&f);
	caller.client = open_client(&f, RPC_TCP);
	assert_int_equal(call_null(caller.client, &fault), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_calling, &caller),
			 0);
	none = before;
	none.rlim_cur = (rlim_t)fds[2] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 3; i++)
		connect_fd(&f, fds[i]);
	for (int i = 0; i < 3; i++)
		assert_true(support_wait_until(is_refused, &fds[i], 60000));
	atomic_store(&caller.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(caller.calls > 0);
	assert_int_equal(caller.failed, 0);
	/* One more waits in vain now, which is no reason to run. */
	close(fds[0]);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	none.rlim_cur = (rlim_t)fds[0];
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	atomic_store(&accepts, 0);
	connect_fd(&f, fds[0]);
	assert_true(support_wait_until(is_refused, &fds[0], 60000));
	/* It pauses for 50 ms, and gives up after a second: the slower all is, the
	 * fewer they are. Without a pause there are thousands. */
	assert_in_range(atomic_load(&accepts), 1, 60);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	rpc_client_close(caller.client);
	stop_server(&f);
}

/* ---- calls under way ---- */

static bool are_two_in_gate(void *arg)
{
	(void)arg;
	return atomic_load(&in_gate) == 2;
}

static void calls_of_a_connection_in_flight_are_limited(void **state)
{
	enum { CALLS = 6, BYTES = 44 };
	struct fixture f = special();
	uint8_t calls[CALLS * BYTES], replies[CALLS * 28];
	struct rpc_client *other;
	struct rpc_fault fault;
	int32_t sum;
	int fd;

	(void)state;
	f.options.loops = 1;
	f.options.max_in_flight = 2;
	start_server(&f);
	fd = connect_raw(&f);
	for (int i = 0; i < CALLS; i++) {
		rpc_record_mark(calls + (size_t)i * BYTES, 40);
		put_call(calls + (size_t)i * BYTES + 4, GATE);
	}
	assert_int_equal(fdio_write_full(fd, calls, sizeof(calls)), 0);
	assert_true(support_wait_until(are_two_in_gate, NULL, 60000));
	/* There are two workers left for others. */
	other = open_client(&f, RPC_TCP);
	for (int i = 0; i < 20; i++)
		assert_int_equal(call_count(other, &sum, &fault), 0);
	assert_int_equal(atomic_load(&in_gate), 2);
	atomic_store(&gate_is_open, true);
	assert_int_equal(fdio_read_full(fd, replies, sizeof(replies)),
			 sizeof(replies));
	close(fd);
	rpc_client_close(other);
	stop_server(&f);
}

/* With one in flight, which is the default. */
static void calls_are_answered_in_their_order(void **state)
{
	enum { CALLS = 40, BYTES = 44 };
	static const uint32_t which[] = {COUNT, ADD_NOTHING, FAIL, COUNT};
	struct fixture f = special();
	uint8_t calls[CALLS * BYTES], head[12], rest[64];
	int fd;

	(void)state;
	start_server(&f);
	fd = connect_raw(&f);
	for (uint32_t i = 0; i < CALLS; i++) {
		rpc_record_mark(calls + (size_t)i * BYTES, 40);
		put_call(calls + (size_t)i * BYTES + 4, which[i % 4]);
		rpc_message_put32(calls + (size_t)i * BYTES + 4, i);
	}
	assert_int_equal(fdio_write_full(fd, calls, sizeof(calls)), 0);
	for (uint32_t i = 0; i < CALLS; i++) {
		size_t n;

		assert_int_equal(fdio_read_full(fd, head, 12), 12);
		n = rpc_message_get32(head) & ~RPC_RECORD_LAST;
		assert_int_equal(rpc_message_get32(head + 4), i);
		assert_int_equal(fdio_read_full(fd, rest, n - 8), n - 8);
	}
	close(fd);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODES_CASE(idle_connection_is_closed),
		MODES_CASE(longest_idle_makes_room_for_the_next),
		MODES_CASE(want_of_descriptors_passes),
		MODES_CASE(one_address_loses_its_own_connections),
		MODES_CASE(who_is_slow_to_leave_costs_no_other_its_connection),
		MODES_CASE(without_descriptors_those_who_are_there_are_served),
		cmocka_unit_test(calls_of_a_connection_in_flight_are_limited),
		MODES_CASE(calls_are_answered_in_their_order),
	};

	return SUPPORT_MAIN(tests);
}
