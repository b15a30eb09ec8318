/* Connections that move from loop to loop. Linked with --wrap for sched_getcpu,
 * by which each loop seems to have a processor of its own, and for getsockopt and
 * identity_processor, which say what a case wants of where bytes come in. */
#include <sched.h>
#include <sys/socket.h>

#include "tests/lib/rpc_server_fixture.h"

enum { LOOPS = 2, MANY = 300, ANY = -2 };

static atomic_int n_threads, served_by;
static atomic_int incoming; /* -1: nobody knows; ANY: another each time */
static atomic_uint asked;

int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void)
{
	static _Thread_local int mine = -1;

	if (mine < 0)
		mine = atomic_fetch_add(&n_threads, 1);
	return mine;
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int *processor = value;

	if (level != SOL_SOCKET || name != SO_INCOMING_CPU)
		return __real_getsockopt(fd, level, name, value, len);
	*processor = atomic_load(&incoming);
	if (*processor == ANY)
		*processor = (int)(atomic_fetch_add(&asked, 1) / 3 % LOOPS);
	return 0;
}

/* Where the client of a Unix socket runs, who is this process. */
static atomic_int peer_runs_on;

int __wrap_identity_processor(pid_t pid);
int __wrap_identity_processor(pid_t pid)
{
	return pid == getpid() ? atomic_load(&peer_runs_on) : -1;
}

static cpu_set_t processors[LOOPS]; /* that each may use */

static enum auth_stat look(const struct rpc_request *request)
{
	int loop = sched_getcpu();

	(void)request;
	if (loop >= LOOPS) /* a worker */
		return AUTH_OK;
	if (sched_getaffinity(0, sizeof(cpu_set_t), &processors[loop]))
		return AUTH_FAILED;
	atomic_store(&served_by, loop);
	return AUTH_OK;
}

static bool are_there(void *arg)
{
	(void)arg;
	return atomic_load(&n_threads) == LOOPS;
}

static void start_loops(struct fixture *f)
{
	*f = special();
	f->options.loops = LOOPS;
	f->options.dispatch.authorise = look;
	atomic_store(&n_threads, 0);
	atomic_store(&incoming, -1);
	start_server(f);
	assert_true(support_wait_until(are_there, NULL, 60000));
}

/* The loop that has served the last of n calls. */
static int call_often(struct rpc_client *client, int n)
{
	struct rpc_fault fault;
	int32_t sum;

	for (int i = 0; i < n; i++) {
		assert_int_equal(call_add(client, i, 2, &sum, &fault), 0);
		assert_int_equal(sum, i + 2);
	}
	return atomic_load(&served_by);
}

static void connection_goes_where_its_bytes_come_in(void **state)
{
	struct fixture f;
	struct rpc_client *client;
	int first, other;

	(void)state;
	start_loops(&f);
	client = open_client(&f, RPC_TCP);
	first = call_often(client, MANY);
	other = 1 - first;
	atomic_store(&incoming, other);
	assert_int_equal(call_often(client, MANY), other);
	assert_int_equal(call_often(client, MANY), other);
	atomic_store(&incoming, -1);
	assert_int_equal(call_often(client, MANY), other);
	atomic_store(&incoming, LOOPS); /* no loop is there */
	assert_int_equal(call_often(client, MANY), other);
	atomic_store(&incoming, first);
	assert_int_equal(call_often(client, MANY), first);
	rpc_client_close(client);
	stop_server(&f);
}

/* Where the kernel notes nothing. */
static void unix_connection_goes_where_its_peer_runs(void **state)
{
	struct fixture f;
	struct rpc_client *client;
	int first;

	(void)state;
	atomic_store(&peer_runs_on, -1);
	start_loops(&f);
	client = open_client(&f, RPC_UNIX);
	first = call_often(client, MANY);
	assert_int_equal(call_often(client, MANY), first);
	atomic_store(&peer_runs_on, 1 - first);
	assert_int_equal(call_often(client, MANY), 1 - first);
	atomic_store(&peer_runs_on, -1);
	assert_int_equal(call_often(client, MANY), 1 - first);
	rpc_client_close(client);
	stop_server(&f);
}

/* All bytes come in at one processor, as from a network card with one queue. */
static void no_connection_goes_to_a_loop_that_has_more(void **state)
{
	enum { CLIENTS = 4 };
	struct fixture f;
	struct rpc_client *clients[CLIENTS];
	int there = 0;

	(void)state;
	start_loops(&f);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = open_client(&f, RPC_TCP);
		call_often(clients[i], 1);
	}
	atomic_store(&incoming, 0);
	for (int i = 0; i < CLIENTS; i++)
		call_often(clients[i], MANY);
	for (int i = 0; i < CLIENTS; i++) {
		if (call_often(clients[i], 1) == 0)
			there++;
		rpc_client_close(clients[i]);
	}
	assert_int_equal(there, CLIENTS / 2 + 1);
	stop_server(&f);
}

static void loops_keep_apart(void **state)
{
	struct fixture f;
	struct rpc_client *clients[LOOPS];
	cpu_set_t all, both, common;

	(void)state;
	start_loops(&f);
	for (int i = 0; i < LOOPS; i++) {
		clients[i] = open_client(&f, RPC_TCP);
		call_often(clients[i], 1);
	}
	for (int i = 0; i < LOOPS; i++)
		rpc_client_close(clients[i]);
	stop_server(&f);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_OR(&both, &processors[0], &processors[1]);
	CPU_AND(&common, &processors[0], &processors[1]);
	assert_true(CPU_EQUAL(&both, &all));
	/* On one processor both have that. */
	assert_int_equal(CPU_COUNT(&common), CPU_COUNT(&all) < LOOPS ? 1 : 0);
}

/* ---- many at once ---- */

struct caller {
	const struct fixture *f;
	int wrong;
};

static void *call_all_kinds(void *arg)
{
	struct caller *caller = arg;
	struct rpc_client *client = open_client(caller->f, RPC_TCP);
	struct rpc_fault fault;
	int32_t n;

	for (int i = 0; i < 10 * MANY; i++) {
		if (call_add(client, i, 2, &n, &fault) || n != i + 2)
			caller->wrong++;
		/* Which a worker does. */
		if (i % 5 == 0 && call_count(client, &n, &fault))
			caller->wrong++;
	}
	rpc_client_close(client);
	return NULL;
}

static void calls_succeed_while_connections_move(void **state)
{
	enum { CALLERS = 6 };
	struct fixture f;
	struct caller callers[CALLERS];
	pthread_t threads[CALLERS];

	(void)state;
	start_loops(&f);
	atomic_store(&incoming, ANY);
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){.f = &f};
		assert_int_equal(pthread_create(&threads[i], NULL,
						call_all_kinds, &callers[i]),
				 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(callers[i].wrong, 0);
	}
	assert_int_equal(atomic_load(&count), CALLERS * 10 * MANY / 5);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_goes_where_its_bytes_come_in),
		cmocka_unit_test(unix_connection_goes_where_its_peer_runs),
		cmocka_unit_test(no_connection_goes_to_a_loop_that_has_more),
		cmocka_unit_test(loops_keep_apart),
		cmocka_unit_test(calls_succeed_while_connections_move),
	};

	return SUPPORT_MAIN(tests);
}
