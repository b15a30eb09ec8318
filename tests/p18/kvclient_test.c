/* kvclient.c against servers that answer as they are told: what is sent again, and
 * what is known afterwards. */
#include "p18-rpc-kv/kvclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "tests/support/support.h"

enum { LONG_MS = 60000, SHORT_MS = 400, LATE_MS = 20000, WRITES = 64 };

/* ---- a server that does as it is told ----------------------------------------- */

/* What it makes of the next write or read; a script ends in DO_IT. */
enum act {
	DO_IT,
	LOSE_REPLY, /* does it, and closes the connection */
	HANG,       /* does it, and says nothing until the end of the test */
	FAIL,       /* the server's own failure: SYSTEM_ERR */
	SAY,        /* and of a status: SAY + KV_NO_QUORUM */
};

struct fake {
	struct rpc_server *server;
	pthread_t thread;
	int stop[2];
	pthread_mutex_t lock;
	pthread_cond_t end;
	bool is_ending;
	unsigned char script[WRITES];
	unsigned int at; /* in the script */
	bool loses;      /* the reply to the call in hand */
	bool hangs_at_hello, has_no_names;
	char cluster;
	uint64_t revision;
	unsigned int hellos;
	/* The writes that came, and how many were done. */
	kv_request_id ids[WRITES];
	bool is_done[WRITES];
	unsigned int n_ids, done;
	kv_freshness freshness; /* of the last read */
	uint32_t timeout_ms;    /* of the last write */
};

static bool was_done(const struct fake *fake, const kv_request_id *id)
{
	for (unsigned int i = 0; i < fake->n_ids; i++)
		if (fake->is_done[i] && fake->ids[i].sequence == id->sequence &&
		    memcmp(fake->ids[i].client, id->client,
			   sizeof(id->client)) == 0)
			return true;
	return false;
}

static void hang(struct fake *fake)
{
	while (!fake->is_ending)
		pthread_cond_wait(&fake->end, &fake->lock);
}

/* The next of the script; with the lock. */
static int act(struct fake *fake, kv_status *status)
{
	int what = fake->at < WRITES ? fake->script[fake->at++] : DO_IT;

	fake->loses = what == LOSE_REPLY;
	if (what == HANG)
		hang(fake);
	if (what > SAY)
		*status = (kv_status)(what - SAY);
	return what == FAIL ? -EIO : 0;
}

int kv_hello_1_svc(const struct rpc_request *request, kv_hello_result *result)
{
	struct fake *fake = request->arg;

	pthread_mutex_lock(&fake->lock);
	if (fake->hangs_at_hello)
		hang(fake);
	memset(result->cluster, fake->cluster, sizeof(result->cluster));
	result->revision = fake->revision;
	result->has_no_names = fake->has_no_names;
	fake->hellos++;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

int kv_write_1_svc(const struct rpc_request *request, kv_write_args *args,
		   kv_write_result *result)
{
	struct fake *fake = request->arg;
	const kv_request_id *id = &args->change.id;
	int error;

	pthread_mutex_lock(&fake->lock);
	fake->timeout_ms = args->timeout_ms;
	error = act(fake, &result->status);
	if (result->status == KV_DONE && !was_done(fake, id))
		fake->done++;
	if (fake->n_ids < WRITES) {
		fake->is_done[fake->n_ids] = result->status == KV_DONE;
		fake->ids[fake->n_ids++] = *id;
	}
	result->revision = fake->revision;
	result->replicas = 2;
	result->servers = 3;
	pthread_mutex_unlock(&fake->lock);
	result->text = strdup(result->status == KV_NO_QUORUM
				      ? "no quorum: 1 of 3 servers reachable"
				      : "");
	return error;
}

int kv_get_1_svc(const struct rpc_request *request, kv_get_args *args,
		 kv_get_result *result)
{
	struct fake *fake = request->arg;
	int error;

	pthread_mutex_lock(&fake->lock);
	fake->freshness = args->freshness;
	error = act(fake, &result->status);
	result->applied = fake->revision;
	pthread_mutex_unlock(&fake->lock);
	result->text = strdup("");
	return error;
}

int kv_list_1_svc(const struct rpc_request *request, kv_list_args *args,
		  kv_list_result *result)
{
	struct fake *fake = request->arg;
	int error;

	pthread_mutex_lock(&fake->lock);
	fake->freshness = args->freshness;
	error = act(fake, &result->status);
	result->applied = fake->revision;
	pthread_mutex_unlock(&fake->lock);
	/* What it was asked for: from=to in place of a pair. */
	result->pairs.pairs_val = calloc(1, sizeof(kv_pair));
	result->pairs.pairs_len = 1;
	*result->pairs.pairs_val = (kv_pair){
		.key = {args->from.kv_key_len,
			strndup(args->from.kv_key_val, args->from.kv_key_len)},
		.value = {args->to.kv_key_len,
			  strndup(args->to.kv_key_val, args->to.kv_key_len)},
		.revision = args->limit,
	};
	result->more = args->keys_only;
	result->text = strdup("");
	return error;
}

int kv_status_1_svc(const struct rpc_request *request, kv_status_result *result)
{
	(void)request;
	result->engine = strdup("fake");
	return 0;
}

int kv_hash_1_svc(const struct rpc_request *request, kv_hash_result *result)
{
	const struct fake *fake = request->arg;

	result->applied = fake->revision;
	return 0;
}

int kv_member_1_svc(const struct rpc_request *request, kv_member_args *args,
		    kv_write_result *result)
{
	struct fake *fake = request->arg;

	(void)args;
	pthread_mutex_lock(&fake->lock);
	act(fake, &result->status);
	fake->done += result->status == KV_DONE;
	pthread_mutex_unlock(&fake->lock);
	result->text = strdup("");
	return 0;
}

/* What servers ask each other, nobody asks here. */
int kv_request_vote_1_svc(const struct rpc_request *request, kv_vote_args *args,
			  kv_vote_result *result)
{
	(void)request, (void)args, (void)result;
	return 0;
}

int kv_append_entries_1_svc(const struct rpc_request *request,
			    kv_append_args *args, kv_append_result *result)
{
	(void)request, (void)args, (void)result;
	return 0;
}

int kv_install_snapshot_1_svc(const struct rpc_request *request,
			      kv_snapshot_args *args,
			      kv_snapshot_result *result)
{
	(void)request, (void)args, (void)result;
	return 0;
}

static bool loses_reply(const struct rpc_call *call, void *arg)
{
	struct fake *fake = arg;
	bool loses;

	(void)call;
	pthread_mutex_lock(&fake->lock);
	loses = fake->loses;
	fake->loses = false;
	pthread_mutex_unlock(&fake->lock);
	return loses;
}

static void *run_fake(void *arg)
{
	struct fake *fake = arg;

	return rpc_server_run(fake->server, fake->stop[0]) ? fake : NULL;
}

/* Serve kv.x's first program, or its second, which is no clients' business. */
static void open_program(struct fake *fake, size_t program)
{
	const struct rpc_server_options options = {
		.dispatch = {.programs = &kv_programs[program],
			     .n_programs = 1,
			     .arg = fake},
		.host = "127.0.0.1",
		.has_tcp = true,
		.loses_reply = loses_reply,
		.arg = fake,
	};

	*fake = (struct fake){.cluster = 'c', .revision = 7};
	assert_int_equal(0, pthread_mutex_init(&fake->lock, NULL));
	assert_int_equal(0, pthread_cond_init(&fake->end, NULL));
	assert_int_equal(0, rpc_server_open(&fake->server, &options));
	assert_int_equal(0, fdio_pipe(fake->stop));
	assert_int_equal(0,
			 pthread_create(&fake->thread, NULL, run_fake, fake));
}

static void open_fake(struct fake *fake)
{
	open_program(fake, 0);
}

static void close_fake(struct fake *fake)
{
	void *failed;

	pthread_mutex_lock(&fake->lock);
	fake->is_ending = true;
	pthread_cond_broadcast(&fake->end);
	pthread_mutex_unlock(&fake->lock);
	fdio_close(&fake->stop[1]);
	assert_int_equal(0, pthread_join(fake->thread, &failed));
	assert_null(failed);
	fdio_close(&fake->stop[0]);
	rpc_server_close(fake->server);
	pthread_cond_destroy(&fake->end);
	pthread_mutex_destroy(&fake->lock);
}

static uint16_t port_of(const struct fake *fake)
{
	return rpc_server_port(fake->server, RPC_TCP);
}

/* ---- clients of theirs ------------------------------------------------------------ */

/* A port at which nobody listens, as long as *fd is open. */
static uint16_t closed_port(int *fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(-1, *fd);
	assert_int_equal(0, bind(*fd, (struct sockaddr *)&address, len));
	assert_int_equal(0,
			 getsockname(*fd, (struct sockaddr *)&address, &len));
	return ntohs(address.sin_port);
}

static struct kvclient *open_client(const uint16_t *ports, unsigned int n,
				    int64_t timeout_ms, bool is_unnamed)
{
	struct parse_endpoint servers[KVCLIENT_SERVERS_MAX];
	const struct kvclient_options options = {
		.servers = servers,
		.n_servers = n,
		.timeout_ns = timeout_ms * TICK_MS,
		.is_unnamed = is_unnamed,
	};
	struct kvclient *kv = NULL;

	for (unsigned int i = 0; i < n; i++)
		servers[i] = (struct parse_endpoint){"127.0.0.1", ports[i]};
	assert_int_equal(0, kvclient_open(&kv, &options));
	return kv;
}

static struct kvclient *open_one(const struct fake *fake, int64_t timeout_ms)
{
	const uint16_t port = port_of(fake);

	return open_client(&port, 1, timeout_ms, false);
}

static const kv_change a_put = {.operation = KV_PUT,
				.key = {1, (char[]){'k'}},
				.value = {1, (char[]){'v'}}};

static enum kvclient_outcome put(struct kvclient *kv,
				 struct kvclient_report *report)
{
	kv_write_result result;
	enum kvclient_outcome outcome =
		kvclient_write(kv, &a_put, &result, report);

	assert_int_equal(outcome, report->outcome);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return outcome;
}

static enum kvclient_outcome get(struct kvclient *kv,
				 enum kv_consistency consistency,
				 struct kvclient_report *report)
{
	const kv_get_args args = {.freshness.consistency = consistency,
				  .key = a_put.key};
	kv_get_result result;
	enum kvclient_outcome outcome =
		kvclient_get(kv, &args, &result, report);

	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return outcome;
}

static void assert_text(const struct kvclient *kv,
			const struct kvclient_report *report, const char *part)
{
	char text[512];

	if (!strstr(kvclient_text(kv, report, text, sizeof(text)), part))
		fail_msg("wanted '%s' in '%s'", part, text);
}

/* ---- done --------------------------------------------------------------------------- */

static void what_the_server_has_done_is_done(void **state)
{
	struct kvclient_report report;
	kv_write_result result;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE,
			 kvclient_write(kv, &a_put, &result, &report));
	assert_int_equal(2, result.replicas);
	assert_int_equal(3, result.servers);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	assert_int_equal(1, report.attempts);
	/* So that what it says at its own deadline is heard. */
	assert_true(fake.timeout_ms > 0 && fake.timeout_ms <= LONG_MS - 100);
	assert_int_equal(7, kvclient_revision(kv));
	assert_int_equal(1, fake.done);
	fake.script[1] = SAY + KV_CONFLICT;
	fake.script[2] = SAY + KV_NOT_FOUND;
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(KV_CONFLICT, report.status);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(KV_NOT_FOUND, report.status);
	kvclient_close(kv);
	close_fake(&fake);
}

static void each_write_has_a_name_of_the_same_client(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	kv = open_one(&fake, LONG_MS);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(KVCLIENT_DONE, put(kv, &report));
		assert_int_equal(i + 1, fake.ids[i].sequence);
		assert_int_equal(7, fake.ids[i].since);
		assert_memory_equal(fake.ids[0].client, fake.ids[i].client,
				    KV_CLIENT_BYTES);
		assert_memory_equal(&report.id, &fake.ids[i],
				    sizeof(report.id));
	}
	assert_int_equal(1, fake.hellos);
	kvclient_close(kv);
	/* And another handle is another client. */
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_memory_not_equal(fake.ids[0].client, report.id.client,
				KV_CLIENT_BYTES);
	kvclient_close(kv);
	close_fake(&fake);
}

/* ---- sent again ----------------------------------------------------------------------- */

static void lost_reply_of_a_named_write_is_sent_again_and_done_once(
	void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	fake.script[0] = LOSE_REPLY;
	fake.script[1] = FAIL;
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(3, report.attempts);
	assert_int_equal(3, fake.n_ids);
	assert_memory_equal(&fake.ids[0], &fake.ids[1], sizeof(fake.ids[0]));
	assert_memory_equal(&fake.ids[0], &fake.ids[2], sizeof(fake.ids[0]));
	assert_int_equal(1, fake.done);
	kvclient_close(kv);
	close_fake(&fake);
}

static void lost_reply_of_an_unnamed_write_is_unknown(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;
	uint16_t port;

	(void)state;
	open_fake(&fake);
	fake.script[0] = LOSE_REPLY;
	port = port_of(&fake);
	kv = open_client(&port, 1, LONG_MS, true);
	assert_int_equal(KVCLIENT_UNKNOWN, put(kv, &report));
	assert_int_equal(1, report.attempts);
	assert_int_equal(1, fake.n_ids);
	assert_int_equal(0, fake.ids[0].sequence);
	assert_text(kv, &report, "whether it was done is unknown");
	/* It is not the end: the next one connects anew. */
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	kvclient_close(kv);
	close_fake(&fake);
}

static void change_of_members_is_not_repeated(void **state)
{
	const kv_member_args args = {
		.change = KV_MEMBER_REMOVE, .id = 3, .address = (char[]){""}};
	struct kvclient_report report;
	kv_write_result result;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	fake.script[0] = SAY + KV_NO_QUORUM;
	fake.script[1] = LOSE_REPLY;
	kv = open_one(&fake, LONG_MS);
	/* Again after what was surely not done, and not after what may be. */
	assert_int_equal(KVCLIENT_UNKNOWN,
			 kvclient_member(kv, &args, &result, &report));
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	assert_int_equal(2, report.attempts);
	assert_int_equal(1, fake.done);
	kvclient_close(kv);
	close_fake(&fake);
}

static void no_quorum_is_tried_again_until_the_deadline(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	fake.script[0] = fake.script[1] = SAY + KV_NO_QUORUM;
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(3, report.attempts);
	memset(fake.script, SAY + KV_NO_QUORUM, sizeof(fake.script));
	kvclient_set_timeout(kv, SHORT_MS * TICK_MS);
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(KV_NO_QUORUM, report.status);
	assert_text(kv, &report, "no quorum: 1 of 3 servers reachable");
	assert_int_equal(1, fake.done);
	kvclient_close(kv);
	close_fake(&fake);
}

/* ---- other servers ------------------------------------------------------------------------ */

static void refused_connections_are_tried_again_and_elsewhere(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;
	uint16_t ports[2];
	int fd;

	(void)state;
	open_fake(&fake);
	ports[0] = closed_port(&fd);
	ports[1] = port_of(&fake);
	kv = open_client(ports, 2, LONG_MS, false);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(2, report.attempts);
	assert_int_equal(1, report.server);
	/* It stays with who has answered. */
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(1, report.attempts);
	kvclient_close(kv);

	kv = open_client(ports, 1, SHORT_MS, false);
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(RPC_FAULT_UNREACHABLE, report.fault.kind);
	assert_true(report.attempts > 2);
	assert_text(kv, &report, "Connection refused");
	kvclient_close(kv);
	close_fake(&fake);
	close(fd);
}

static void a_silent_server_leaves_time_for_the_others(void **state)
{
	int64_t begin = tick_now();
	struct kvclient_report report;
	struct fake silent, fake;
	struct kvclient *kv;
	uint16_t ports[2];

	(void)state;
	open_fake(&silent);
	open_fake(&fake);
	silent.hangs_at_hello = true;
	ports[0] = port_of(&silent);
	ports[1] = port_of(&fake);
	kv = open_client(ports, 2, 2000, false);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(1, report.server);
	assert_true(tick_now() - begin < 2000 * TICK_MS);
	kvclient_close(kv);
	close_fake(&silent);
	close_fake(&fake);
}

static void words_of_a_server_count_more_than_a_refused_connection(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;
	uint16_t ports[2];
	int fd;

	(void)state;
	open_fake(&fake);
	memset(fake.script, SAY + KV_NO_QUORUM, sizeof(fake.script));
	ports[0] = port_of(&fake);
	ports[1] = closed_port(&fd);
	kv = open_client(ports, 2, SHORT_MS, false);
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(0, report.server);
	assert_text(kv, &report, "no quorum: 1 of 3 servers reachable");
	kvclient_close(kv);
	close_fake(&fake);
	close(fd);
}

static void a_server_of_another_cluster_is_asked_nothing(void **state)
{
	struct kvclient_report report;
	struct fake ours, theirs;
	struct kvclient *kv;
	uint16_t ports[2];

	(void)state;
	open_fake(&ours);
	open_fake(&theirs);
	theirs.cluster = 'd';
	ports[0] = port_of(&ours);
	ports[1] = port_of(&theirs);
	kv = open_client(ports, 2, LONG_MS, false);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	ours.script[1] = LOSE_REPLY;
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(0, report.server);
	assert_int_equal(2, ours.done);
	assert_int_equal(0, theirs.n_ids);
	/* With nobody else left. */
	close_fake(&ours);
	kvclient_set_timeout(kv, SHORT_MS * TICK_MS);
	assert_int_not_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(0, theirs.n_ids);
	kvclient_close(kv);
	close_fake(&theirs);
}

static void who_is_no_such_server_is_told_at_once(void **state)
{
	int64_t begin = tick_now();
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_program(&fake, 1);
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(RPC_FAULT_PROGRAM, report.fault.kind);
	assert_true(tick_now() - begin < LATE_MS * TICK_MS);
	kvclient_close(kv);
	close_fake(&fake);
}

/* ---- unknown -------------------------------------------------------------------------------- */

static void what_may_have_been_done_stays_unknown(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	memset(fake.script, SAY + KV_NO_QUORUM, sizeof(fake.script));
	fake.script[0] = SAY + KV_UNKNOWN;
	kv = open_one(&fake, SHORT_MS);
	assert_int_equal(KVCLIENT_UNKNOWN, put(kv, &report));
	assert_true(report.attempts > 1);
	assert_text(kv, &report, "whether it was done is unknown");
	kvclient_close(kv);
	close_fake(&fake);
}

/* Whatever is said of it later, unless that is its answer. */
static void assert_unknown_when_then_told(kv_status later)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	open_fake(&fake);
	fake.script[0] = LOSE_REPLY;
	fake.script[1] = (unsigned char)(SAY + later);
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_UNKNOWN, put(kv, &report));
	assert_int_equal(1, fake.done);
	assert_int_equal(2, fake.n_ids);
	kvclient_close(kv);
	close_fake(&fake);
}

static void a_refusal_does_not_undo_a_lost_reply(void **state)
{
	(void)state;
	assert_unknown_when_then_told(KV_TOO_LARGE);
}

static void silence_is_unknown_at_the_deadline(void **state)
{
	int64_t begin = tick_now();
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	memset(fake.script, HANG, sizeof(fake.script));
	kv = open_one(&fake, SHORT_MS);
	assert_int_equal(KVCLIENT_UNKNOWN, put(kv, &report));
	assert_int_equal(RPC_FAULT_TIMED_OUT, report.fault.kind);
	assert_true(tick_now() - begin >= SHORT_MS * TICK_MS);
	assert_true(tick_now() - begin < LATE_MS * TICK_MS);
	/* A get changes nothing: it was not done. */
	assert_int_equal(KVCLIENT_NOT_DONE, get(kv, KV_LINEARIZABLE, &report));
	kvclient_close(kv);
	close_fake(&fake);
}

static void note_signal(int signal)
{
	(void)signal;
}

static void a_signal_ends_the_wait_and_leaves_it_unknown(void **state)
{
	const struct sigaction action = {.sa_handler = note_signal};
	/* Again, should the first come before the wait. */
	const struct itimerval soon = {.it_value.tv_usec = 500000,
				       .it_interval.tv_usec = 500000};
	const struct itimerval never = {0};
	struct kvclient_report report;
	struct sigaction old;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	fake.script[0] = HANG;
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(0, sigaction(SIGALRM, &action, &old));
	assert_int_equal(0, setitimer(ITIMER_REAL, &soon, NULL));
	put(kv, &report);
	assert_int_equal(0, setitimer(ITIMER_REAL, &never, NULL));
	assert_int_equal(0, sigaction(SIGALRM, &old, NULL));
	assert_int_equal(RPC_FAULT_INTERRUPTED, report.fault.kind);
	/* The first alarm came when it had long been sent. */
	assert_int_equal(KVCLIENT_UNKNOWN, report.outcome);
	kvclient_close(kv);
	close_fake(&fake);
}

/* ---- names ------------------------------------------------------------------------------------ */

static void a_new_name_that_is_forgotten_is_replaced(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	/* Ten thousand others have been there since. */
	fake.revision = 20000;
	fake.script[1] = SAY + KV_FORGOTTEN;
	assert_int_equal(KVCLIENT_DONE, put(kv, &report));
	assert_int_equal(2, report.attempts);
	assert_int_equal(2, fake.done);
	assert_memory_not_equal(fake.ids[1].client, fake.ids[2].client,
				KV_CLIENT_BYTES);
	assert_int_equal(1, fake.ids[2].sequence);
	assert_int_equal(20000, fake.ids[2].since);
	kvclient_close(kv);
	close_fake(&fake);
}

static void a_sent_name_that_is_forgotten_is_unknown(void **state)
{
	(void)state;
	assert_unknown_when_then_told(KV_FORGOTTEN);
}

static void the_callers_name_is_kept(void **state)
{
	struct kvclient_report report;
	kv_change change = a_put;
	kv_write_result result;
	struct kvclient *kv;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_DONE, kvclient_name(kv, &change.id, &report));
	assert_int_equal(1, change.id.sequence);
	assert_int_equal(7, change.id.since);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(KVCLIENT_DONE,
				 kvclient_write(kv, &change, &result, &report));
		xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	}
	assert_int_equal(1, fake.done);
	assert_memory_equal(&change.id, &fake.ids[0], sizeof(change.id));
	/* Nobody else may say that it was not sent before. */
	fake.script[2] = SAY + KV_FORGOTTEN;
	assert_int_equal(KVCLIENT_UNKNOWN,
			 kvclient_write(kv, &change, &result, &report));
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	assert_int_equal(3, fake.n_ids);
	kvclient_close(kv);
	close_fake(&fake);
}

static void an_engine_without_names_gets_none_and_nothing_twice(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	kv_request_id id;
	struct fake fake;

	(void)state;
	open_fake(&fake);
	fake.has_no_names = true;
	fake.script[0] = SAY + KV_NO_QUORUM;
	fake.script[1] = LOSE_REPLY;
	kv = open_one(&fake, LONG_MS);
	assert_int_equal(KVCLIENT_UNKNOWN, put(kv, &report));
	assert_int_equal(2, fake.n_ids);
	assert_int_equal(0, fake.ids[1].sequence);
	assert_int_equal(0, report.id.sequence);
	assert_int_equal(KVCLIENT_NOT_DONE, kvclient_name(kv, &id, &report));
	assert_int_equal(KV_UNSUPPORTED, report.status);
	assert_int_equal(0, id.sequence);
	kvclient_close(kv);
	close_fake(&fake);
}

/* ---- reads ---------------------------------------------------------------------------------------- */

static void a_session_sees_what_it_has_seen(void **state)
{
	struct kvclient_report report;
	struct fake old, fresh;
	struct kvclient *kv;
	uint16_t ports[2];

	(void)state;
	open_fake(&old);
	open_fake(&fresh);
	ports[0] = port_of(&old);
	ports[1] = port_of(&fresh);
	kv = open_client(ports, 2, LONG_MS, false);
	kvclient_see(kv, 5);
	assert_int_equal(KVCLIENT_DONE, get(kv, KV_SESSION, &report));
	assert_int_equal(5, old.freshness.revision);
	assert_int_equal(7, kvclient_revision(kv));
	kvclient_see(kv, 6); /* never back */
	old.script[1] = SAY + KV_NOT_FRESH;
	assert_int_equal(KVCLIENT_DONE, get(kv, KV_SESSION, &report));
	assert_int_equal(1, report.server);
	assert_int_equal(7, fresh.freshness.revision);
	/* The others have no such promise to keep. */
	assert_int_equal(KVCLIENT_DONE, get(kv, KV_STALE, &report));
	assert_int_equal(0, fresh.freshness.revision);
	kvclient_close(kv);
	close_fake(&old);
	close_fake(&fresh);
}

static void a_list_is_read_as_a_get_is(void **state)
{
	const kv_list_args args = {
		.freshness.consistency = KV_SESSION,
		.from = {4, (char[]){"from"}},
		.to = {2, (char[]){"to"}},
		.limit = 12,
		.keys_only = true,
	};
	struct kvclient_report report;
	kv_list_result result;
	struct kvclient *kv;
	struct fake old, fresh;
	uint16_t ports[2];

	(void)state;
	open_fake(&old);
	open_fake(&fresh);
	ports[0] = port_of(&old);
	ports[1] = port_of(&fresh);
	kv = open_client(ports, 2, LONG_MS, false);
	kvclient_see(kv, 5);
	/* It is sent again, also where a reply was lost, and elsewhere. */
	old.script[0] = LOSE_REPLY;
	fresh.script[0] = SAY + KV_NOT_FRESH;
	assert_int_equal(KVCLIENT_DONE,
			 kvclient_list(kv, &args, &result, &report));
	assert_int_equal(3, report.attempts);
	assert_int_equal(5, old.freshness.revision);
	assert_in_range(old.freshness.timeout_ms, 1, LONG_MS);
	assert_int_equal(7, kvclient_revision(kv));
	assert_int_equal(1, result.pairs.pairs_len);
	assert_int_equal(4, result.pairs.pairs_val->key.kv_key_len);
	assert_memory_equal("from", result.pairs.pairs_val->key.kv_key_val, 4);
	assert_int_equal(2, result.pairs.pairs_val->value.kv_value_len);
	assert_memory_equal("to", result.pairs.pairs_val->value.kv_value_val,
			    2);
	assert_int_equal(12, result.pairs.pairs_val->revision);
	assert_true(result.more);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	/* It changes nothing: who has no answer knows that it was not done. */
	memset(old.script, HANG, sizeof(old.script));
	memset(fresh.script, HANG, sizeof(fresh.script));
	kvclient_set_timeout(kv, SHORT_MS * TICK_MS);
	assert_int_equal(KVCLIENT_NOT_DONE,
			 kvclient_list(kv, &args, &result, &report));
	assert_int_equal(0, result.pairs.pairs_len);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	kvclient_close(kv);
	close_fake(&old);
	close_fake(&fresh);
}

static void status_and_hash_are_of_one_server(void **state)
{
	struct kvclient_report report;
	kv_status_result status;
	struct kvclient *kv;
	kv_hash_result hash;
	struct fake fake;
	uint16_t ports[2];
	int fd;

	(void)state;
	open_fake(&fake);
	ports[0] = closed_port(&fd);
	ports[1] = port_of(&fake);
	kv = open_client(ports, 2, LONG_MS, false);
	assert_int_equal(KVCLIENT_NOT_DONE,
			 kvclient_status(kv, 0, &status, &report));
	assert_int_equal(1, report.attempts);
	assert_int_equal(KVCLIENT_DONE,
			 kvclient_status(kv, 1, &status, &report));
	assert_string_equal("fake", status.engine);
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	assert_int_equal(KVCLIENT_NOT_DONE,
			 kvclient_hash(kv, 0, &hash, &report));
	assert_int_equal(KVCLIENT_DONE, kvclient_hash(kv, 1, &hash, &report));
	assert_int_equal(7, hash.applied);
	kvclient_close(kv);
	close_fake(&fake);
	close(fd);
}

/* ---- lies, and what is not accepted ------------------------------------------------------------------ */

struct liar {
	int fd;
	_Atomic int calls;
	pthread_t thread;
};

/* To whoever connects: the mark of a record, and no reply in it. */
static void *lie(void *arg)
{
	static const unsigned char rubbish[] = {0x80, 0, 0, 12, 1, 2, 3, 4,
						5,    6, 7, 8,  9, 9, 9, 9};
	struct liar *liar = arg;
	char call[4096];
	int fd;

	/* cppcheck-suppress nullPointer */
	while ((fd = accept4(liar->fd, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		if (read(fd, call, sizeof(call)) > 0)
			liar->calls++;
		(void)!write(fd, rubbish, sizeof(rubbish));
		close(fd);
	}
	return NULL;
}

static void lies_are_no_answers(void **state)
{
	struct kvclient_report report;
	struct kvclient *kv;
	struct liar liar = {.calls = 0};
	uint16_t port = closed_port(&liar.fd);

	(void)state;
	assert_int_equal(0, listen(liar.fd, 16));
	assert_int_equal(0, pthread_create(&liar.thread, NULL, lie, &liar));
	kv = open_client(&port, 1, SHORT_MS, false);
	/* It lied at HELLO, so that no write was sent. */
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(KVCLIENT_NOT_DONE, get(kv, KV_STALE, &report));
	/* Not as fast as it goes. */
	assert_true(liar.calls > 1 && liar.calls < 200);
	kvclient_close(kv);
	shutdown(liar.fd, SHUT_RDWR);
	pthread_join(liar.thread, NULL);
	close(liar.fd);
}

static void unknown_host_and_no_host_are_refused(void **state)
{
	struct parse_endpoint nowhere = {"nowhere.invalid", 9001};
	struct kvclient_options options = {.servers = &nowhere,
					   .n_servers = 1,
					   .timeout_ns = LONG_MS * TICK_MS};
	int64_t begin = tick_now();
	struct kvclient_report report;
	struct kvclient *kv = NULL;

	(void)state;
	assert_int_equal(0, kvclient_open(&kv, &options));
	assert_int_equal(KVCLIENT_NOT_DONE, put(kv, &report));
	assert_int_equal(RPC_FAULT_HOST, report.fault.kind);
	assert_true(tick_now() - begin < LATE_MS * TICK_MS);
	assert_text(kv, &report, "nowhere.invalid:9001: ");
	kvclient_close(kv);
	options.n_servers = 0;
	assert_int_equal(-EINVAL, kvclient_open(&kv, &options));
	options.n_servers = KVCLIENT_SERVERS_MAX + 1;
	assert_int_equal(-EINVAL, kvclient_open(&kv, &options));
	kvclient_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_server_has_done_is_done),
		cmocka_unit_test(each_write_has_a_name_of_the_same_client),
		cmocka_unit_test(
			lost_reply_of_a_named_write_is_sent_again_and_done_once),
		cmocka_unit_test(lost_reply_of_an_unnamed_write_is_unknown),
		cmocka_unit_test(change_of_members_is_not_repeated),
		cmocka_unit_test(no_quorum_is_tried_again_until_the_deadline),
		cmocka_unit_test(
			refused_connections_are_tried_again_and_elsewhere),
		cmocka_unit_test(a_silent_server_leaves_time_for_the_others),
		cmocka_unit_test(
			words_of_a_server_count_more_than_a_refused_connection),
		cmocka_unit_test(a_server_of_another_cluster_is_asked_nothing),
		cmocka_unit_test(who_is_no_such_server_is_told_at_once),
		cmocka_unit_test(what_may_have_been_done_stays_unknown),
		cmocka_unit_test(a_refusal_does_not_undo_a_lost_reply),
		cmocka_unit_test(silence_is_unknown_at_the_deadline),
		cmocka_unit_test(a_signal_ends_the_wait_and_leaves_it_unknown),
		cmocka_unit_test(a_new_name_that_is_forgotten_is_replaced),
		cmocka_unit_test(a_sent_name_that_is_forgotten_is_unknown),
		cmocka_unit_test(the_callers_name_is_kept),
		cmocka_unit_test(
			an_engine_without_names_gets_none_and_nothing_twice),
		cmocka_unit_test(a_session_sees_what_it_has_seen),
		cmocka_unit_test(a_list_is_read_as_a_get_is),
		cmocka_unit_test(status_and_hash_are_of_one_server),
		cmocka_unit_test(lies_are_no_answers),
		cmocka_unit_test(unknown_host_and_no_host_are_refused),
	};
	return SUPPORT_MAIN(tests);
}
