/* Three servers in one process: what they promise to clients and to each other. */
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "p18-rpc-kv/cache.h"
#include "tests/p18/hosts.h"

/* libtirpc throws away the padding behind bytes by reading it into one buffer of
 * all threads (crud[] of xdr_opaque()), which nobody reads. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:libtirpc.so\n";
}

/* ---- the store ---- */

static void write_to_any_server_is_on_all_and_read_from_any(void **state)
{
	char value[64];

	(void)state;
	for (int i = 0; i < HOSTS; i++) {
		kv_write_args args = put_args("key", "value");
		kv_write_result result;

		args.replicas_ms = HOSTS_MS;
		result = write_at(i, &args);
		assert_int_equal(result.status, KV_DONE);
		assert_int_equal(result.replicas, HOSTS);
		assert_int_equal(result.servers, HOSTS);
	}
	put_at(0, "key", "last");
	for (int i = 0; i < HOSTS; i++) {
		assert_int_equal(get_at(i, KV_LINEARIZABLE, "key", value),
				 KV_DONE);
		assert_string_equal(value, "last");
	}
}

static void count_of_replicas_is_true_with_one_server_down(void **state)
{
	kv_write_args args = put_args("key", "value");
	kv_write_result result;
	int down = (leader() + 1) % HOSTS;

	(void)state;
	stop_host(down);
	args.replicas_ms = 50;
	result = write_at((down + 1) % HOSTS, &args);
	assert_int_equal(result.status, KV_DONE);
	assert_int_equal(result.replicas, HOSTS - 1);
	assert_int_equal(result.servers, HOSTS);
}

static void acknowledged_write_survives_its_leader(void **state)
{
	char value[64];
	int led = leader();

	(void)state;
	put_at(led, "key", "value");
	stop_host(led);
	assert_int_equal(
		get_at((led + 1) % HOSTS, KV_LINEARIZABLE, "key", value),
		KV_DONE);
	assert_string_equal(value, "value");
}

static void all_are_stopped_and_all_is_there_again(void **state)
{
	char value[64];

	(void)state;
	put_at(0, "key", "value");
	for (int i = 0; i < HOSTS; i++)
		stop_host(i);
	for (int i = 0; i < HOSTS; i++)
		start_host(i);
	assert_int_equal(get_at(1, KV_LINEARIZABLE, "key", value), KV_DONE);
	assert_string_equal(value, "value");
}

static void request_with_a_name_is_done_once_by_whatever_server(void **state)
{
	const kv_write_args args = {
		.change = {.operation = KV_INCR,
			   .key = key_of("n"),
			   .number = 1,
			   .id = {.client = "a random number", .sequence = 1}},
		.timeout_ms = HOSTS_MS,
	};

	(void)state;
	for (int i = 0; i < HOSTS; i++) {
		const kv_write_result result = write_at(i, &args);

		assert_int_equal(result.status, KV_DONE);
		assert_int_equal(result.number, 1);
	}
}

/* ---- a minority ---- */

static void minority_says_so_in_time_and_reads_what_it_has(void **state)
{
	kv_write_args args = put_args("key", "other");
	kv_write_result result = {0};
	int64_t before;
	char value[64];
	int left = leader();

	(void)state;
	put_at(left, "key", "value");
	stop_host((left + 1) % HOSTS);
	stop_host((left + 2) % HOSTS);
	/* While it still believes that it leads, nobody knows. */
	args.timeout_ms = 100;
	result = write_at(left, &args);
	assert_true(result.status == KV_UNKNOWN ||
		    result.status == KV_NO_QUORUM);
	args.timeout_ms = 2000;
	before = tick_now();
	result = (kv_write_result){0};
	do {
		free(result.text);
		result = (kv_write_result){0};
		engine_at(left)->calls->write(engine_at(left), &args, &result);
	} while (result.status == KV_UNKNOWN &&
		 tick_now() - before < 10 * TICK_S);
	assert_int_equal(result.status, KV_NO_QUORUM);
	assert_string_equal(result.text, "no quorum: 1 of 3 servers reachable");
	free(result.text);
	assert_true(tick_now() - before < 5 * TICK_S);
	assert_int_equal(get_at(left, KV_STALE, "key", value), KV_DONE);
	assert_string_equal(value, "value");
	assert_int_equal(get_at(left, KV_BOUNDED, "key", value), KV_NOT_FRESH);
}

static void bounded_and_session_reads_keep_their_promise(void **state)
{
	kv_get_args session = {
		.freshness = {.consistency = KV_SESSION,
			      .timeout_ms = HOSTS_MS},
		.key = key_of("key"),
	};
	kv_get_args bounded = {
		.freshness = {.consistency = KV_BOUNDED,
			      .timeout_ms = HOSTS_MS},
		.key = key_of("key"),
	};
	kv_write_args write = put_args("key", "");
	char expected[16];

	(void)state;
	for (int i = 0; i < 50; i++) {
		kv_get_result result = {0};
		struct engine *reader = engine_at(i % HOSTS);

		snprintf(expected, sizeof(expected), "%d", i);
		write.change.value.kv_value_val = expected;
		write.change.value.kv_value_len = (u_int)strlen(expected);
		session.freshness.revision =
			write_at((i + 1) % HOSTS, &write).revision;
		assert_true(session.freshness.revision > 0);
		reader->calls->get(reader, &session, &result);
		assert_int_equal(result.status, KV_DONE);
		assert_true(result.revision >= session.freshness.revision);
		assert_true(result.applied >= result.revision);
		xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
		/* No older than 0 ms, and no older than some. */
		bounded.freshness.bound_ms = i % 2 ? 0 : 40;
		result = (kv_get_result){0};
		reader->calls->get(reader, &bounded, &result);
		assert_true(result.age_ms <= bounded.freshness.bound_ms);
		if (i % 2) {
			assert_int_equal(result.status, KV_DONE);
			assert_int_equal(result.revision,
					 session.freshness.revision);
		}
		xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	}
}

/* ---- the log is short ---- */

static bool is_level(void *arg)
{
	kv_hash_result hash[HOSTS] = {0};

	(void)arg;
	for (int i = 0; i < HOSTS; i++) {
		engine_at(i)->calls->hash(engine_at(i), &hash[i]);
		if (hash[i].hash != hash[0].hash ||
		    hash[i].applied != hash[0].applied)
			return false;
	}
	return true;
}

static int with_short_log(void **state)
{
	snapshot_entries = 100;
	return start_hosts(state);
}

static void server_that_was_away_is_sent_a_snapshot(void **state)
{
	int away = (leader() + 1) % HOSTS;
	char key[16];

	(void)state;
	put_at(0, "key", "value");
	stop_host(away);
	/* More than stays behind a snapshot for who is a little late. */
	for (int i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "%d", i % 500);
		put_at((away + 1) % HOSTS, key, "value");
	}
	start_host(away);
	assert_true(support_wait_until(is_level, NULL, HOSTS_MS));
	assert_true(status_at(away).snapshot > 0);
}

/* ---- strangers ---- */

static int64_t last_of(int i)
{
	return (int64_t)status_at(i).last;
}

static void stranger_changes_nothing_whatever_it_says(void **state)
{
	const int i = (leader() + 1) % HOSTS;
	struct cluster *cluster = hosts[i].service.cluster;
	char command[] = "rubbish";
	kv_entry entry = {.term = 99,
			  .kind = KV_ENTRY_CHANGE,
			  .command = {sizeof(command), command}};
	kv_append_args append = {.peer = {.from = members[(i + 1) % HOSTS].id,
					  .to = members[i].id,
					  .term = 99},
				 .previous_index = 1,
				 .previous_term = 1,
				 .commit = 2,
				 .entries = {1, &entry}};
	kv_vote_args vote = {
		.peer = append.peer, .last_index = 1000, .last_term = 99};
	kv_append_result result = {0};
	kv_vote_result voted = {0};
	kv_hello_result hello = {0};
	kv_write_args first = put_args("key", "value");
	uint64_t term;
	int64_t last;

	(void)state;
	/* So that it has heard of its leader, and of all that there is. */
	first.replicas_ms = HOSTS_MS;
	assert_int_equal(write_at(i, &first).replicas, HOSTS);
	term = status_at(i).term;
	last = last_of(i);
	assert_int_equal(cluster_append(cluster, &append, &result), 0);
	assert_true(result.is_stranger);
	assert_int_equal(cluster_vote(cluster, &vote, &voted), 0);
	assert_true(voted.is_stranger);
	/* Of our cluster, but it means another server. */
	engine_at(i)->calls->hello(engine_at(i), &hello);
	memcpy(append.peer.cluster, hello.cluster, KV_CLUSTER_BYTES);
	append.peer.to++;
	assert_int_equal(cluster_append(cluster, &append, &result), 0);
	assert_true(result.is_stranger);
	/* Or says that it is the one it speaks to. */
	append.peer.to = append.peer.from = members[i].id;
	assert_int_equal(cluster_append(cluster, &append, &result), 0);
	assert_true(result.is_stranger);
	assert_int_equal(status_at(i).term, term);
	assert_int_equal(last_of(i), last);
}

/* ---- clients that are none ---- */

/* Connects, and sends the beginning of a record. Returns its socket. */
static int send_half(uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) &&
	    errno != EINPROGRESS)
		fail_msg("connect: %s", strerror(errno));
	/* What does not go out now is a connection that is silent. */
	if (send(fd, "\x80\0", 2, MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
	    errno != ENOTCONN)
		fail_msg("send: %s", strerror(errno));
	return fd;
}

/* More connections than the server takes, none of them ever ends. And on the
 * peers' ports as many as would fill those, if they were the same. */
static void crowd_of_silent_clients_disturbs_no_election(void **state)
{
	enum { CROWD = 3 * HOSTS_CLIENTS };
	int fds[HOSTS * CROWD], led = leader(), n = 0;
	const uint64_t term = status_at(led).term;
	char value[64];

	(void)state;
	for (int i = 0; i < HOSTS; i++)
		for (int k = 0; k < CROWD; k++)
			fds[n++] = send_half(port_of(i));
	/* Followed by more than an election timeout of writes. */
	for (int64_t end = tick_after(TICK_S); !tick_is_over(end);)
		put_at(led, "key", "value");
	assert_int_equal(status_at(led).term, term);
	/* And one server that goes, and finds its way back. */
	stop_host(led);
	put_at((led + 1) % HOSTS, "key", "another");
	start_host(led);
	/* By its own log, as no client gets through to the leader. */
	for (int64_t end = tick_after(HOSTS_MS * TICK_MS);;) {
		get_at(led, KV_STALE, "key", value);
		if (strcmp(value, "another") == 0)
			break;
		assert_false(tick_is_over(end));
		tick_sleep_until(tick_after(10 * TICK_MS));
	}
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- strangers at the door of the servers ---- */

struct flood {
	pthread_t thread;
	atomic_bool *is_over;
	uint16_t port;
	atomic_int n_calls;
};

/* Whole calls, one upon the other, of procedures that a stranger may call. */
static void *flood(void *arg)
{
	struct flood *flood = arg;
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = "127.0.0.1",
		.port = flood->port,
		.program = KV_PEER_PROG,
		.version = KV_PEER_VERS,
		.timeout_ns = TICK_S,
	};
	const kv_vote_args vote = {.peer = {.from = 1, .to = 2, .term = 99},
				   .is_pre = false};
	struct rpc_client *client = NULL;
	struct rpc_fault fault;
	kv_vote_result result;

	while (!atomic_load(flood->is_over)) {
		if (!client && rpc_client_open(&client, &options, &fault)) {
			tick_sleep_until(tick_after(TICK_MS));
			continue;
		}
		if (kv_request_vote_1(client, &vote, &result, &fault)) {
			rpc_client_close(client);
			client = NULL;
		} else {
			atomic_fetch_add(&flood->n_calls, 1);
		}
	}
	rpc_client_close(client);
	return NULL;
}

static bool has_called(void *arg)
{
	struct flood *flood = arg;

	return atomic_load(&flood->n_calls) > 0;
}

/* Twice as many half records as the peers' ports take, and calls in between: the
 * servers do not lose each other, and who asks one that is not the leader is
 * forwarded by that way. */
static void flood_at_the_peers_ports_disturbs_nobody(void **state)
{
	enum { CROWD = 2 * HOSTS_PEERS };
	static int fds[HOSTS * CROWD];
	atomic_bool is_over = false;
	struct flood floods[HOSTS];
	int led = leader(), n = 0;
	const uint64_t term = status_at(led).term;
	char value[64];

	(void)state;
	put_at((led + 1) % HOSTS, "key", "value");
	for (int i = 0; i < HOSTS; i++) {
		floods[i] = (struct flood){
			.is_over = &is_over,
			.port = service_peer_port(port_of(i)),
		};
		assert_int_equal(pthread_create(&floods[i].thread, NULL, flood,
						&floods[i]),
				 0);
		for (int k = 0; k < CROWD; k++)
			fds[n++] = send_half(service_peer_port(port_of(i)));
	}
	for (int i = 0; i < HOSTS; i++)
		assert_true(
			support_wait_until(has_called, &floods[i], HOSTS_MS));
	/* More than an election timeout; each must be done. */
	for (int64_t end = tick_after(TICK_S); !tick_is_over(end);)
		for (int i = 0; i < HOSTS; i++) {
			put_at(i, "key", "value");
			assert_int_equal(
				get_at(i, KV_LINEARIZABLE, "key", value),
				KV_DONE);
		}
	assert_int_equal(status_at(led).term, term);
	/* And one that goes finds its way back. */
	stop_host((led + 1) % HOSTS);
	start_host((led + 1) % HOSTS);
	put_at((led + 1) % HOSTS, "key", "value");
	atomic_store(&is_over, true);
	for (int i = 0; i < HOSTS; i++)
		pthread_join(floods[i].thread, NULL);
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- the cache ---- */

static int with_cache(void **state)
{
	has_cache = true;
	return start_hosts(state);
}

int __real_cache_note(struct cache *cache, uint64_t applied, int64_t known_at);
int __wrap_cache_note(struct cache *cache, uint64_t applied, int64_t known_at);

static atomic_int note_ms; /* that the cache takes */

int __wrap_cache_note(struct cache *cache, uint64_t applied, int64_t known_at)
{
	tick_sleep_until(tick_after(atomic_load(&note_ms) * TICK_MS));
	return __real_cache_note(cache, applied, known_at);
}

static void cache_has_a_write_before_it_is_acknowledged(void **state)
{
	const int led = leader();
	struct cache_reader *reader;
	struct cache_promise promise = {.bound_ms = -1};
	struct cache_value found;
	kv_write_args args = put_args("key", "value");

	(void)state;
	assert_int_equal(cache_open(&reader, geteuid(), port_of(led),
				    tick_after(TICK_S)),
			 0);
	atomic_store(&note_ms, 5);
	for (int i = 0; i < 20; i++) {
		promise.revision = write_at(led, &args).revision;
		assert_int_equal(cache_get(reader, "key", 3, &promise, &found),
				 0);
		assert_int_equal(found.revision, promise.revision);
	}
	atomic_store(&note_ms, 0);
	cache_close(reader);
}

static void key_that_is_read_by_rpc_is_published(void **state)
{
	const struct cache_promise promise = {.bound_ms = -1};
	struct cache_reader *reader;
	struct cache_value found;
	char value[64];
	int64_t end = tick_after(HOSTS_MS * TICK_MS);
	int error;

	(void)state;
	put_at(0, "key", "value");
	for (int i = 0; i < HOSTS; i++)
		stop_host(i);
	for (int i = 0; i < HOSTS; i++)
		start_host(i);
	assert_int_equal(get_at(1, KV_LINEARIZABLE, "key", value), KV_DONE);
	assert_int_equal(
		cache_open(&reader, geteuid(), port_of(1), tick_after(TICK_S)),
		0);
	do {
		get_at(1, KV_STALE, "key", value);
		error = cache_get(reader, "key", 3, &promise, &found);
	} while (error && !tick_is_over(end));
	assert_int_equal(error, 0);
	assert_memory_equal(found.bytes, "value", 5);
	cache_close(reader);
}

/* ---- load ---- */

struct load {
	pthread_t thread;
	int at, n_done;
};

static void *add_up(void *arg)
{
	struct load *load = arg;
	kv_write_args args = {
		.change = {.operation = KV_INCR,
			   .key = key_of("sum"),
			   .number = 1},
		.timeout_ms = HOSTS_MS,
	};
	char value[64];

	/* NOLINTNEXTLINE(bugprone-sizeof-expression) */
	memcpy(args.change.id.client, &load, sizeof(load));
	for (int64_t end = tick_after(2 * TICK_S); !tick_is_over(end);) {
		args.change.id.sequence++;
		load->n_done += write_at(load->at, &args).status == KV_DONE;
		get_at(load->at, (kv_consistency)(load->n_done % 3), "sum",
		       value);
	}
	return NULL;
}

static void many_clients_at_all_servers_lose_nothing(void **state)
{
	struct load loads[4 * HOSTS] = {0};
	char value[64];
	int n = 0;

	(void)state;
	for (int i = 0; i < 4 * HOSTS; i++) {
		loads[i].at = i % HOSTS;
		assert_int_equal(pthread_create(&loads[i].thread, NULL, add_up,
						&loads[i]),
				 0);
	}
	for (int i = 0; i < 4 * HOSTS; i++) {
		pthread_join(loads[i].thread, NULL);
		n += loads[i].n_done;
	}
	assert_int_equal(get_at(0, KV_LINEARIZABLE, "sum", value), KV_DONE);
	assert_int_equal(strtol(value, NULL, 10), n);
	assert_true(n > 100);
	assert_true(support_wait_until(is_level, NULL, HOSTS_MS));
}

#define WITH_HOSTS(test) \
	cmocka_unit_test_setup_teardown(test, start_hosts, stop_hosts)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOSTS(write_to_any_server_is_on_all_and_read_from_any),
		WITH_HOSTS(count_of_replicas_is_true_with_one_server_down),
		WITH_HOSTS(acknowledged_write_survives_its_leader),
		WITH_HOSTS(all_are_stopped_and_all_is_there_again),
		WITH_HOSTS(request_with_a_name_is_done_once_by_whatever_server),
		WITH_HOSTS(minority_says_so_in_time_and_reads_what_it_has),
		WITH_HOSTS(bounded_and_session_reads_keep_their_promise),
		cmocka_unit_test_setup_teardown(
			server_that_was_away_is_sent_a_snapshot, with_short_log,
			stop_hosts),
		WITH_HOSTS(stranger_changes_nothing_whatever_it_says),
		cmocka_unit_test_setup_teardown(
			crowd_of_silent_clients_disturbs_no_election,
			start_hosts, stop_hosts),
		cmocka_unit_test_setup_teardown(
			flood_at_the_peers_ports_disturbs_nobody, start_hosts,
			stop_hosts),
		cmocka_unit_test_setup_teardown(
			cache_has_a_write_before_it_is_acknowledged, with_cache,
			stop_hosts),
		cmocka_unit_test_setup_teardown(
			key_that_is_read_by_rpc_is_published, with_cache,
			stop_hosts),
		WITH_HOSTS(many_clients_at_all_servers_lose_nothing),
	};

	return SUPPORT_MAIN(tests);
}
