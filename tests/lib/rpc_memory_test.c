/* One budget of memory for all clients: what hundreds of them that send the
 * largest calls cost, who has to go for it, and that others are served.
 * timeout: 240 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/lib/rpc_hostile_fixture.h"
#include "tests/lib/rpc_server_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

enum { HEADER = 4 + 40 + 4 };

/* The beginning of the largest call there is: its mark, header and length. */
static void begin_largest(uint8_t *at, size_t cred_bytes)
{
	rpc_record_mark(at, 40 + cred_bytes + 4 + ECHO_MAX);
	put_call(at + 4, ECHO);
	rpc_message_put32(at + 44 + cred_bytes, ECHO_MAX);
}

/* So many bytes of it, as far as the server takes them now. */
static void send_what_goes(int fd, size_t bytes)
{
	static uint8_t call[HEADER + ECHO_MAX];

	begin_largest(call, 0);
	(void)send(fd, call, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_nothing_taken(void *arg)
{
	return counts_of(arg).large_bytes == 0;
}

static void assert_small_calls_are_served(const struct fixture *f, int n)
{
	struct rpc_client *client = open_client(f, RPC_TCP);
	struct rpc_fault fault;
	int32_t sum;

	for (int i = 0; i < n; i++) {
		assert_int_equal(call_add(client, i, 1, &sum, &fault), 0);
		assert_int_equal(sum, i + 1);
	}
	rpc_client_close(client);
}

static void assert_large_call_is_served(const struct fixture *f)
{
	static char bytes[ECHO_MAX];
	struct rpc_client *client = open_client(f, RPC_TCP);
	struct blob in = {ECHO_MAX, bytes}, out = {0};
	struct rpc_fault fault;

	assert_int_equal(rpc_client_call(client, ECHO, (xdrproc_t)xdr_blob, &in,
					 (xdrproc_t)xdr_blob, &out, &fault),
			 0);
	assert_int_equal(out.n, ECHO_MAX);
	xdr_free((xdrproc_t)xdr_blob, &out);
	rpc_client_close(client);
}

/* 900 connections, each in the midst of the largest call: 90 MB of it have
 * been sent, for 16 MB that there are. */
static void hundreds_of_largest_calls_stay_within_the_budget(void **state)
{
	enum { MEMORY = 32 << 20, SENT = 100 * 1024 };
	const int n = support_is_valgrind() ? 60 : 900;
	struct fixture f = special();
	int *fds = calloc((size_t)n, sizeof(*fds));
	struct rpc_server_counts counts;
	long before;

	(void)state;
	assert_non_null(fds);
	f.options.memory_bytes = MEMORY;
	f.options.record_ns = f.options.idle_ns = 300 * TICK_S;
	start_server(&f);
	assert_small_calls_are_served(&f, 10);
	before = support_resident_bytes();
	for (int i = 0; i < n; i++) {
		fds[i] = connect_from(&f, "127.0.0.2");
		send_what_goes(fds[i], SENT);
		if (i % 100 == 99)
			assert_small_calls_are_served(&f, 10);
	}
	assert_small_calls_are_served(&f, 100);
	counts = counts_of(&f);
	assert_true(counts.large_bytes > 0);
	assert_true(counts.large_bytes <= MEMORY / 2);
	/* The test's own memory is in it, and asan's or valgrind's is not. */
	if (!support_is_valgrind() && !IS_SANITIZED)
		assert_true(support_resident_bytes() - before < MEMORY);
	/* Somebody else with the largest is served for it. */
	assert_large_call_is_served(&f);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	assert_true(support_wait_until(is_nothing_taken, &f, 60000));
	stop_server(&f);
}

/* ---- who has to go ---- */

/* Everybody who comes with AUTH_SYS has proved it, in this case. */
static enum auth_stat believe(void *state, const struct rpc_call *call,
			      const struct rpc_peer *peer,
			      struct rpc_identity *who,
			      struct rpc_verifier *verf)
{
	(void)state, (void)call, (void)peer, (void)verf;
	who->is_proved = true;
	return AUTH_OK;
}

static const struct rpc_auth_flavor proved = {
	.number = AUTH_SYS, .name = "proved", .verify = believe};
static const struct rpc_auth_flavor *const flavors[] = {&rpc_auth_none,
							&proved};

/* Returns the bytes of its header. */
static size_t put_proved_call(uint8_t *at, uint32_t procedure)
{
	put_call(at, procedure);
	rpc_message_put32(at + 24, AUTH_SYS);
	return 40;
}

static void assert_reply(int fd, size_t bytes)
{
	uint8_t buf[4096];
	size_t at = 0;
	ssize_t n;

	while (at < bytes) {
		n = fdio_read_until(fd, buf,
				    bytes - at < sizeof(buf) ? bytes - at
							     : sizeof(buf),
				    tick_after(60 * TICK_S));
		assert_true(n > 0);
		at += (size_t)n;
	}
}

/* A small budget has room for the largest three times. */
static void newest_that_proved_nothing_goes_first(void **state)
{
	enum { ATTACKERS = 8 };
	static uint8_t call[4 + 40 + 4 + ECHO_MAX];
	struct fixture f = special();
	int prover, fds[ATTACKERS];
	size_t n;

	(void)state;
	f.options.memory_bytes = 1 << 20;
	f.options.dispatch.flavors = flavors;
	f.options.dispatch.n_flavors = 2;
	f.options.record_ns = 300 * TICK_S;
	start_server(&f);
	/* Of all from that address it comes last, and so would go first. */
	for (int i = 0; i < ATTACKERS; i++)
		fds[i] = connect_from(&f, "127.0.0.2");
	prover = connect_from(&f, "127.0.0.2");
	n = put_proved_call(call + 4, 0);
	rpc_record_mark(call, n);
	assert_int_equal(fdio_write_full(prover, call, 4 + n), 0);
	assert_reply(prover, 28);
	/* It sends the largest but for the last byte, and the others too. */
	n = put_proved_call(call + 4, ECHO);
	rpc_record_mark(call, n + 4 + ECHO_MAX);
	rpc_message_put32(call + 4 + n, ECHO_MAX);
	assert_int_equal(fdio_write_full(prover, call, sizeof(call) - 1), 0);
	for (int i = 0; i < ATTACKERS; i++)
		send_what_goes(fds[i], HEADER + ECHO_MAX - 1);
	assert_large_call_is_served(&f);
	wait_event(RPC_SERVER_NO_MEMORY);
	assert_int_equal(fdio_write_full(prover, "", 1), 0);
	assert_reply(prover, 28 + 4 + ECHO_MAX);
	close(prover);
	for (int i = 0; i < ATTACKERS; i++)
		close(fds[i]);
	stop_server(&f);
}

/* Those who do not read take memory as those who do not write. */
static void replies_that_are_not_read_are_within_the_budget(void **state)
{
	enum { MEMORY = 16 << 20, CLIENTS = 30 };
	struct fixture f = special();
	int fds[CLIENTS];

	(void)state;
	f.options.memory_bytes = MEMORY;
	f.options.write_ns = 300 * TICK_S;
	start_server(&f);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = ask_and_do_not_read(&f);
	assert_true(counts_of(&f).large_bytes <= MEMORY / 2);
	assert_small_calls_are_served(&f, 20);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	assert_true(support_wait_until(is_nothing_taken, &f, 60000));
	stop_server(&f);
}

/* ---- what the tables say ---- */

/* Of the largest arguments a byte too many. */
static void largest_call_is_that_of_the_tables(void **state)
{
	static const struct rpc_program small = {PROGRAM, VERSION, procedures,
						 2};
	struct fixture f = special();
	uint8_t mark[4];
	char byte;
	int fd;

	(void)state;
	f.options.dispatch.programs = &small;
	f.options.dispatch.n_programs = 1;
	start_server(&f);
	assert_small_calls_are_served(&f, 1);
	fd = connect_raw(&f);
	rpc_record_mark(mark, RPC_MESSAGE_CALL_MAX + 8 + 1);
	assert_int_equal(fdio_write_full(fd, mark, 4), 0);
	assert_int_equal(fdio_read_until(fd, &byte, 1, tick_after(60 * TICK_S)),
			 0);
	wait_event(RPC_SERVER_BAD_RECORD);
	close(fd);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODES_CASE(hundreds_of_largest_calls_stay_within_the_budget),
		MODES_CASE(newest_that_proved_nothing_goes_first),
		MODES_CASE(replies_that_are_not_read_are_within_the_budget),
		MODES_CASE(largest_call_is_that_of_the_tables),
	};

	/* Of those who are closed while they send. */
	signal(SIGPIPE, SIG_IGN);
	allow_more_descriptors();
	return SUPPORT_MAIN(tests);
}
