/* What others may send, and that nobody else has to wait for it. Each case
 * does its worst, and then a well-behaved client is served.
 * timeout: 180 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/rng.h"
#include "tests/lib/rpc_hostile_fixture.h"

#ifdef __SANITIZE_THREAD__
/* xdr_opaque() puts what fills up four bytes into a buffer that all threads
 * share and nobody reads. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:libtirpc.so\n";
}
#endif

static atomic_int events[RPC_SERVER_REFUSED + 1];

static void note(enum rpc_server_event event, const struct rpc_peer *peer,
		 int error, void *arg)
{
	(void)peer, (void)error, (void)arg;
	atomic_fetch_add(&events[event], 1);
}

/* record_ns, write_ns: long, where nothing is to end by itself. */
static int set_up_with(void **state, int64_t limit_ns)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->options = all_transports();
	f->options.record_ns = f->options.write_ns = limit_ns;
	f->options.idle_ns = 300 * TICK_S;
	f->options.on_event = note;
	for (int i = 0; i <= RPC_SERVER_REFUSED; i++)
		atomic_store(&events[i], 0);
	start_server(f);
	*state = f;
	return 0;
}

static int patient(void **state)
{
	in_threads(state);
	return set_up_with(state, 300 * TICK_S);
}

static int strict(void **state)
{
	in_threads(state);
	return set_up_with(state, 50 * TICK_MS);
}

static int patient_loops(void **state)
{
	in_loops(state);
	return set_up_with(state, 300 * TICK_S);
}

static int strict_loops(void **state)
{
	in_loops(state);
	return set_up_with(state, 50 * TICK_MS);
}

static void say(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

/* The server closes it (or resets, where it had not read everything). */
static void assert_closed(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = fdio_read_some(fd, buf, sizeof(buf),
				   tick_after(60 * TICK_S));
	} while (n > 0);
	assert_true(n == 0 || n == -ECONNRESET);
	close(fd);
}

static void assert_others_are_served(const struct fixture *f)
{
	struct rpc_fault fault;
	int32_t sum;

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(f, (enum rpc_transport)t);

		assert_int_equal(call_add(client, 2, 2, &sum, &fault), 0);
		assert_int_equal(sum, 4);
		rpc_client_close(client);
	}
}

static bool has_event(void *arg)
{
	return atomic_load((atomic_int *)arg) > 0;
}

static void wait_event(enum rpc_server_event event)
{
	assert_true(support_wait_until(has_event, &events[event], 60000));
}

/* ---- too little ---- */

static void two_bytes_then_silence_hold_up_nobody(void **state)
{
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = connect_raw(*state);
		say(fds[i], "\x80\x00", 2);
	}
	assert_others_are_served(*state);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

static void two_bytes_then_silence_are_given_up(void **state)
{
	int fd = connect_raw(*state);

	say(fd, "\x80\x00", 2);
	assert_closed(fd);
	wait_event(RPC_SERVER_SLOW);
	assert_others_are_served(*state);
}

static void half_a_call_is_given_up(void **state)
{
	int fd = connect_raw(*state);
	uint8_t call[44];

	rpc_record_mark(call, 40);
	put_call(call + 4, ADD);
	say(fd, call, 30);
	assert_closed(fd);
	wait_event(RPC_SERVER_SLOW);
	assert_others_are_served(*state);
}

/* ---- too much ---- */

static void largest_record_mark_is_refused(void **state)
{
	int fd = connect_raw(*state);

	say(fd, "\xff\xff\xff\xff\0\0\0\1", 8);
	assert_closed(fd);
	wait_event(RPC_SERVER_BAD_RECORD);
	assert_others_are_served(*state);
}

/* Until the server has had enough. */
static void say_until_closed(int fd, const void *bytes, size_t n)
{
	while (send(fd, bytes, n, MSG_NOSIGNAL) > 0)
		;
	close(fd);
}

static void endless_fragments_end_at_the_limit(void **state)
{
	static uint8_t fragment[4 + 60000];
	int fd = connect_raw(*state);

	rpc_message_put32(fragment, 60000);
	say_until_closed(fd, fragment, sizeof(fragment));
	wait_event(RPC_SERVER_BAD_RECORD);
	assert_others_are_served(*state);
}

static void empty_fragments_end_at_the_limit(void **state)
{
	static const uint8_t nothing[4 * 64];
	int fd = connect_raw(*state);

	say_until_closed(fd, nothing, sizeof(nothing));
	wait_event(RPC_SERVER_BAD_RECORD);
	assert_others_are_served(*state);
}

static void what_is_no_call_is_refused(void **state)
{
	static const char *const says[] = {
		"GET / HTTP/1.0\r\n\r\n",
		"\x80\0\0\0", /* an empty record */
		"\x80\0\0\x04zzzz",
	};
	static const size_t bytes[] = {18, 4, 8};

	for (size_t i = 0; i < 3; i++) {
		int fd = connect_raw(*state);

		say(fd, says[i], bytes[i]);
		assert_closed(fd);
	}
	assert_others_are_served(*state);
}

/* ---- who does not read ---- */

static void client_that_never_reads_holds_up_nobody(void **state)
{
	int fd = ask_and_do_not_read(*state);

	assert_others_are_served(*state);
	close(fd);
}

static void client_that_never_reads_is_given_up(void **state)
{
	int fd = ask_and_do_not_read(*state);

	wait_event(RPC_SERVER_SLOW);
	assert_others_are_served(*state);
	close(fd);
}

/* The end must not wait for it either: set_up_with() lets it have 300 s. */
static void client_that_never_reads_does_not_keep_the_server(void **state)
{
	int fd = ask_and_do_not_read(*state);

	stop_server(*state);
	close(fd);
	start_server(*state);
}

/* ---- many ---- */

static bool are_all_gone(void *arg)
{
	return counts_of(arg).open == 0;
}

/* And that the server has all that it needs by then. */
static void assert_nothing_is_served(struct fixture *f)
{
	assert_others_are_served(f);
	assert_true(support_wait_until(are_all_gone, f, 60000));
}

static void hundreds_of_idle_connections_hold_up_nobody(void **state)
{
	/* valgrind has room for 500 threads, and not much hurry. */
	const int n = support_is_valgrind() ? 50 : 500;
	struct fixture *f = *state;
	int *fds = calloc((size_t)n, sizeof(*fds));
	int before;

	assert_non_null(fds);
	assert_nothing_is_served(f);
	before = support_count_fds();
	for (int i = 0; i < n; i++)
		fds[i] = connect_raw(f);
	assert_others_are_served(f);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	assert_true(support_wait_until(are_all_gone, f, 60000));
	assert_int_equal(support_count_fds(), before);
}

static void connections_that_come_and_go_leave_nothing(void **state)
{
	const int n = support_is_valgrind() ? 100 : 1000;
	struct fixture *f = *state;
	int before;

	assert_nothing_is_served(f);
	before = support_count_fds();
	for (int i = 0; i < n; i++) {
		int fd = connect_raw(f);

		if (i % 3)
			say(fd, "\x80", 1);
		close(fd);
	}
	assert_others_are_served(f);
	assert_true(support_wait_until(are_all_gone, f, 60000));
	assert_int_equal(support_count_fds(), before);
}

/* ---- all at once, beside somebody who means well ---- */

static void half_closed_connection_gets_its_replies(void **state)
{
	enum { CALLS = 100, CALL_BYTES = 44, REPLY_BYTES = 28 };
	uint8_t calls[CALLS * CALL_BYTES], replies[CALLS * REPLY_BYTES + 1];
	int fd = connect_raw(*state);

	for (int i = 0; i < CALLS; i++) {
		rpc_record_mark(calls + i * CALL_BYTES, 40);
		put_call(calls + i * CALL_BYTES + 4, 0);
	}
	say(fd, calls, sizeof(calls));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(fdio_read_until(fd, replies, sizeof(replies),
					 tick_after(60 * TICK_S)),
			 CALLS * REPLY_BYTES);
	close(fd);
}

/* With RST where there is something to be read, or to be sent. */
static void reset_connection(int fd)
{
	const struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

struct attackers {
	const struct fixture *f;
	atomic_bool is_over;
	atomic_int n;
};

/* They come, do the next of all bad things, and go: faster than they can be
 * told apart from those who are there, so that room is made; not by others,
 * though, as they have an address of their own. */
static void *attack(void *arg)
{
	enum { KEPT = 24 };
	struct attackers *attackers = arg;
	int kept[KEPT], which = 0;
	uint8_t call[44];

	rpc_record_mark(call, 40);
	put_call(call + 4, 0);
	for (int i = 0; i < KEPT; i++)
		kept[i] = -1;
	while (!atomic_load(&attackers->is_over)) {
		int fd = connect_from(attackers->f, "127.0.0.2");
		int *old = &kept[which % KEPT];

		switch (which++ % 5) {
		case 0: /* half a call */
			(void)send(fd, call, 20, MSG_NOSIGNAL);
			break;
		case 1: /* a call, and gone */
			(void)send(fd, call, sizeof(call), MSG_NOSIGNAL);
			reset_connection(fd);
			fd = -1;
			break;
		case 2: /* no call */
			(void)send(fd, "\x80\0\0\4zzzz", 8, MSG_NOSIGNAL);
			break;
		case 3: /* nothing more, and nothing less */
			shutdown(fd, SHUT_WR);
			break;
		default: /* many calls, and no ear */
			for (int i = 0; i < 50; i++)
				(void)send(fd, call, sizeof(call),
					   MSG_NOSIGNAL | MSG_DONTWAIT);
			break;
		}
		if (*old >= 0)
			close(*old);
		*old = fd;
		atomic_fetch_add(&attackers->n, 1);
	}
	for (int i = 0; i < KEPT; i++)
		fdio_close(&kept[i]);
	return NULL;
}

static void all_calls_succeed_beside_attackers(void **state)
{
	const int rounds = support_is_valgrind() ? 50 : 500;
	struct attackers attackers = {.f = *state};
	struct rpc_client *clients[RPC_TRANSPORTS];
	int deaf = ask_and_do_not_read(*state);
	struct rpc_fault fault;
	pthread_t thread;
	int32_t sum;

	for (int t = 0; t < RPC_TRANSPORTS; t++)
		clients[t] = open_client(*state, (enum rpc_transport)t);
	assert_int_equal(pthread_create(&thread, NULL, attack, &attackers), 0);
	for (int i = 0; i < rounds || atomic_load(&attackers.n) < 100; i++)
		for (int t = 0; t < RPC_TRANSPORTS; t++) {
			assert_int_equal(
				call_add(clients[t], i, 1, &sum, &fault), 0);
			assert_int_equal(sum, i + 1);
		}
	atomic_store(&attackers.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int t = 0; t < RPC_TRANSPORTS; t++)
		rpc_client_close(clients[t]);
	close(deaf);
	assert_true(support_wait_until(are_all_gone, *state, 60000));
}

/* ---- garbage ---- */

/* The queue may still be full of it: the client asks again. */
static void assert_datagrams_are_served(const struct fixture *f)
{
	struct rpc_client_options options = client_options(f, RPC_UDP);
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t sum;

	options.retries = 20;
	options.retry_ns = 20 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
	assert_int_equal(sum, 3);
	rpc_client_close(client);
}

static void garbage_on_udp_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(f->server, RPC_UDP))};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t bytes[600];
	struct rng rng;

	rng_seed(&rng, 16);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	for (int i = 0; i < 2000; i++) {
		size_t n = rng_below(&rng, sizeof(bytes) + 1);

		rng_fill(&rng, bytes, n);
		/* Now and then nearly right. */
		if (i % 2 && n >= 40)
			put_call(bytes, (uint32_t)i % 4);
		(void)send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	assert_datagrams_are_served(f);
	close(fd);
}

/* A call of ECHO with a credential, and a few changes to it. Returns its
 * length. */
static size_t mutate(struct rng *rng, uint8_t *message)
{
	size_t n = 40;
	uint8_t *at = put_call(message, (uint32_t)rng_below(rng, 5));

	if (rng_below(rng, 2)) {
		rpc_message_put32(at, (uint32_t)rng_below(rng, 64));
		rng_fill(rng, at + 4, 64);
		n += 68;
	}
	for (uint64_t i = rng_below(rng, 4); i > 0; i--)
		message[rng_below(rng, n)] ^=
			(uint8_t)(1 + rng_below(rng, 255));
	return rng_below(rng, 8) ? n : rng_below(rng, n + 1);
}

static int connect_over(const struct fixture *f, enum rpc_transport transport)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = UNIX_PATH};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(transport == RPC_UNIX ? AF_UNIX : AF_INET,
			(transport == RPC_UDP ? SOCK_DGRAM : SOCK_STREAM) |
				SOCK_CLOEXEC,
			0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(rpc_server_port(f->server, transport));
	assert_int_equal(transport == RPC_UNIX
				 ? connect(fd, (void *)&un, sizeof(un))
				 : connect(fd, (void *)&in, sizeof(in)),
			 0);
	return fd;
}

/* Cut into fragments, or not. */
static ssize_t send_cut(struct rng *rng, int fd, const uint8_t *message,
			size_t n)
{
	uint8_t stream[1024];
	size_t at = 0, out = 0, piece;

	do {
		piece = rng_below(rng, 3) ? n - at : rng_below(rng, n - at + 1);
		rpc_message_put32(
			stream + out,
			(uint32_t)piece |
				(at + piece == n ? RPC_RECORD_LAST : 0));
		memcpy(stream + out + 4, message + at, piece);
		out += 4 + piece;
		at += piece;
	} while (at < n && out + 4 + n < sizeof(stream));
	return send(fd, stream, out, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void mutated_calls_over_all_transports_do_no_harm(void **state)
{
	const int n = support_is_stress()     ? 100000
		      : support_is_valgrind() ? 300
					      : 6000;
	uint8_t message[256], reply[4096];
	int fds[RPC_TRANSPORTS] = {-1, -1, -1};
	struct rng rng;

	/* One of them may go through it. */
	atomic_store(&gate_is_open, true);
	rng_seed(&rng, 17);
	for (int i = 0; i < n; i++) {
		int t = i % RPC_TRANSPORTS;
		size_t bytes = mutate(&rng, message);
		ssize_t sent;

		if (fds[t] < 0)
			fds[t] = connect_over(*state, (enum rpc_transport)t);
		sent = t == RPC_UDP ? send(fds[t], message, bytes,
					   MSG_NOSIGNAL | MSG_DONTWAIT)
				    : send_cut(&rng, fds[t], message, bytes);
		while (recv(fds[t], reply, sizeof(reply), MSG_DONTWAIT) > 0)
			;
		/* Closed, or full of what waits for the rest of a record. */
		if (t != RPC_UDP && (sent < 0 || rng_below(&rng, 50) == 0))
			fdio_close(&fds[t]);
	}
	for (int t = 0; t < RPC_TRANSPORTS; t++)
		fdio_close(&fds[t]);
	assert_datagrams_are_served(*state);
	assert_others_are_served(*state);
}

static void undecodable_arguments_are_answered_and_freed(void **state)
{
	enum { CALL_BYTES = 4 + 44, REPLY_BYTES = 28, BATCH = 64 };
	const int batches = support_is_valgrind() ? 10 : 300;
	uint8_t calls[BATCH * CALL_BYTES], replies[BATCH * REPLY_BYTES];
	struct fixture *f = *state;
	int fd = connect_raw(f);

	for (int i = 0; i < BATCH; i++) {
		uint8_t *at = calls + (size_t)i * CALL_BYTES;

		rpc_record_mark(at, CALL_BYTES - 4);
		/* A blob of 100000 bytes, of which there are none. */
		rpc_message_put32(put_call(at + 4, ECHO), 100000);
	}
	for (int i = 0; i < batches; i++) {
		say(fd, calls, sizeof(calls));
		assert_int_equal(fdio_read_full(fd, replies, sizeof(replies)),
				 sizeof(replies));
		assert_int_equal(rpc_message_get32(replies + 24), GARBAGE_ARGS);
	}
	assert_others_are_served(f);
	close(fd);
}

#define PATIENT_CASE(name)                                               \
	{#name, name, patient, tear_down, NULL},                         \
	{                                                                \
#name "__in_loops", name, patient_loops, tear_down, NULL \
	}
#define STRICT_CASE(name)                                               \
	{#name, name, strict, tear_down, NULL},                         \
	{                                                               \
#name "__in_loops", name, strict_loops, tear_down, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PATIENT_CASE(two_bytes_then_silence_hold_up_nobody),
		STRICT_CASE(two_bytes_then_silence_are_given_up),
		STRICT_CASE(half_a_call_is_given_up),
		PATIENT_CASE(largest_record_mark_is_refused),
		PATIENT_CASE(endless_fragments_end_at_the_limit),
		PATIENT_CASE(empty_fragments_end_at_the_limit),
		PATIENT_CASE(what_is_no_call_is_refused),
		PATIENT_CASE(client_that_never_reads_holds_up_nobody),
		STRICT_CASE(client_that_never_reads_is_given_up),
		PATIENT_CASE(client_that_never_reads_does_not_keep_the_server),
		PATIENT_CASE(hundreds_of_idle_connections_hold_up_nobody),
		PATIENT_CASE(connections_that_come_and_go_leave_nothing),
		PATIENT_CASE(half_closed_connection_gets_its_replies),
		PATIENT_CASE(all_calls_succeed_beside_attackers),
		PATIENT_CASE(garbage_on_udp_is_dropped),
		PATIENT_CASE(mutated_calls_over_all_transports_do_no_harm),
		PATIENT_CASE(undecodable_arguments_are_answered_and_freed),
	};
	allow_more_descriptors();
	return SUPPORT_MAIN(tests);
}
