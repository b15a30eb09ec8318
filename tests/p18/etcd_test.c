/* The engine over etcd: beside a real one, and before those who lie. */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p18-rpc-kv/etcd/base64.h"
#include "p18-rpc-kv/etcd/engine_etcd.h"
#include "p18-rpc-kv/etcd/gateway.h"
#include "tests/p18/engine_cases.h"
#include "tests/support/capture.h"
#include "tests/support/scratch.h"

/* ---- base64 ---- */

static void base64_is_that_of_the_rfc(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"M", "TQ=="},
		{"Ma", "TWE="},
		{"Man", "TWFu"},
		{"\xff\xff\xfe", "///+"},
		{"Many hands", "TWFueSBoYW5kcw=="}};
	char text[32], bytes[16];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t len = strlen(pairs[i][0]);

		base64_encode(text, pairs[i][0], len);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(base64_length(len), strlen(text));
		assert_int_equal(base64_decode(bytes, len, text, strlen(text)),
				 len);
		assert_memory_equal(bytes, pairs[i][0], len);
		if (len)
			assert_int_equal(base64_decode(bytes, len - 1, text,
						       strlen(text)),
					 -EBADMSG);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const texts[] = {
		"Z",    "Zg",       "Zg=",    "Zg===", "Zh==",
		"Zm9=", "Z===",     "====",   "Z-9v",  "Zm 9",
		"=Zg=", "Zg==Zg==", "Zm9v\n", "Zm9v=", "Zm\xff\x39"};
	char bytes[16];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(base64_decode(bytes, sizeof(bytes), texts[i],
					       strlen(texts[i])),
				 -EBADMSG);
	assert_int_equal(base64_decode(bytes, sizeof(bytes), "Zm9\0", 4),
			 -EBADMSG);
}

/* ---- one who listens where an etcd should ---- */

/* Where nothing is waited for that long. */
#define PATIENT_MS 20000

enum manner {
	ANSWER, /* and close */
	KEEP,   /* answer the first, stay open, and close after the next */
	CLOSE,  /* without an answer */
	SILENT, /* nor that */
	FLOOD,  /* never end */
};

struct liar {
	int listener, stop[2];
	uint16_t port;
	pthread_t thread;
	enum manner manner;
	const char *answer; /* all of it */
	int asked;          /* requests that came */
	size_t sent;        /* of floods; to be read when it has stopped */
	char last[256];     /* the beginning of the last one */
};

/* Whether there is something to read from one of these; false: it is over. */
static bool await_either(const struct liar *liar, int fd, int other)
{
	struct pollfd all[3] = {{.fd = fd, .events = POLLIN},
				{.fd = other, .events = POLLIN},
				{.fd = liar->stop[0], .events = POLLIN}};

	return poll(all, 3, 20000) > 0 && !all[2].revents;
}

static bool await(const struct liar *liar, int fd)
{
	return await_either(liar, fd, -1);
}

/* A request as libcurl sends it: head and body, whose length is told. */
static bool read_request(struct liar *liar, int fd)
{
	char request[8192] = "";
	size_t len = 0, wanted = SIZE_MAX;

	while (len < wanted) {
		ssize_t n;
		char *end;

		if (len == sizeof(request) - 1 || !await(liar, fd))
			return false;
		n = read(fd, request + len, sizeof(request) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		request[len] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end && wanted == SIZE_MAX)
			wanted =
				(size_t)(end + 4 - request) +
				strtoul(strstr(request, "Content-Length:") + 15,
					NULL, 10);
	}
	snprintf(liar->last, sizeof(liar->last), "%.*s",
		 (int)sizeof(liar->last) - 1, request);
	__atomic_fetch_add(&liar->asked, 1, __ATOMIC_RELAXED);
	return true;
}

/* One that is there already, if any. */
static void read_request_now(struct liar *liar, int fd)
{
	struct pollfd now = {.fd = fd, .events = POLLIN};

	if (poll(&now, 1, 0) > 0)
		read_request(liar, fd);
}

static void flood(struct liar *liar, int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n\r\n{\"kvs\":\"";
	static char block[65536];
	struct pollfd stop = {.fd = liar->stop[0], .events = POLLIN};
	ssize_t n = 0;

	memset(block, 'A', sizeof(block));
	if (fdio_write_full(fd, head, sizeof(head) - 1))
		return;
	while (n >= 0 && poll(&stop, 1, 0) == 0) {
		liar->sent += (size_t)n;
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
	}
}

static void serve(struct liar *liar, int fd)
{
	size_t len = liar->answer ? strlen(liar->answer) : 0;

	if (!read_request(liar, fd))
		return;
	if (liar->manner == FLOOD)
		flood(liar, fd);
	if (liar->manner == SILENT)
		await(liar, liar->stop[0]);
	if (liar->manner == ANSWER ||
	    (liar->manner == KEEP && liar->asked == 1))
		send(fd, liar->answer, len, MSG_NOSIGNAL);
	if (liar->manner == KEEP && liar->asked == 1 &&
	    await_either(liar, fd, liar->listener))
		read_request_now(liar, fd);
}

static void *listen_and_lie(void *arg)
{
	struct liar *liar = arg;

	while (await(liar, liar->listener)) {
		int fd = accept(liar->listener, NULL, NULL);

		if (fd < 0)
			break;
		serve(liar, fd);
		close(fd);
	}
	return NULL;
}

static uint16_t listen_somewhere(int *listener)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	*listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*listener >= 0);
	assert_int_equal(bind(*listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(*listener, (struct sockaddr *)&at, &len),
			 0);
	return ntohs(at.sin_port);
}

static void liar_start(struct liar *liar, enum manner manner,
		       const char *answer)
{
	*liar = (struct liar){.manner = manner, .answer = answer};
	liar->port = listen_somewhere(&liar->listener);
	assert_int_equal(listen(liar->listener, 8), 0);
	assert_int_equal(fdio_pipe(liar->stop), 0);
	assert_int_equal(
		pthread_create(&liar->thread, NULL, listen_and_lie, liar), 0);
}

/* How many requests came so far. */
static int asked(const struct liar *liar)
{
	return __atomic_load_n(&liar->asked, __ATOMIC_RELAXED);
}

static void liar_stop(struct liar *liar)
{
	assert_int_equal(write(liar->stop[1], "", 1), 1);
	pthread_join(liar->thread, NULL);
	close(liar->listener);
	close(liar->stop[0]);
	close(liar->stop[1]);
}

static struct engine *engine_at(uint16_t first, uint16_t second)
{
	char texts[2][32];
	const char *endpoints[2] = {texts[0], texts[1]};
	struct engine *engine;
	size_t bad;

	snprintf(texts[0], sizeof(texts[0]), "127.0.0.1:%u", first);
	snprintf(texts[1], sizeof(texts[1]), "http://127.0.0.1:%u", second);
	assert_int_equal(
		engine_etcd_open(&engine, endpoints, second ? 2 : 1, &bad), 0);
	return engine;
}

static kv_status put_within(struct engine *engine, u_int timeout_ms)
{
	const kv_write_args args = {.change = {.operation = KV_PUT,
					       .key = case_key("k"),
					       .value = case_value("v")},
				    .timeout_ms = timeout_ms};
	kv_write_result result = {0};
	kv_status status;

	engine->calls->write(engine, &args, &result);
	status = result.status;
	assert_true(status == KV_DONE || (result.text && result.text[0]));
	assert_int_equal(result.servers, 0);
	assert_int_equal(result.replicas, 0);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return status;
}

static kv_status get_within(struct engine *engine, kv_consistency consistency,
			    u_int timeout_ms)
{
	const kv_get_args args = {.freshness = {.consistency = consistency,
						.timeout_ms = timeout_ms},
				  .key = case_key("k")};
	kv_get_result result = {0};
	kv_status status;

	engine->calls->get(engine, &args, &result);
	status = result.status;
	if (status != KV_DONE)
		assert_int_equal(result.value.kv_value_len, 0);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return status;
}

static kv_status list_within(struct engine *engine, u_int limit)
{
	const kv_list_args args = {.freshness.timeout_ms = PATIENT_MS,
				   .from = case_key("b"),
				   .limit = limit};
	kv_list_result result = {0};
	kv_status status;

	engine->calls->list(engine, &args, &result);
	status = result.status;
	if (status != KV_DONE)
		assert_int_equal(result.pairs.pairs_len, 0);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	return status;
}

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define HEADER "\"header\":{\"revision\":\"7\"}"

/* A port where nobody listens, as long as *held is open. */
static uint16_t closed_port(int *held)
{
	return listen_somewhere(held);
}

/* ---- what became of a request ---- */

static void a_write_that_nobody_took_was_not_done(void **state)
{
	struct liar liar;
	struct engine *engine;
	int held;
	uint16_t closed = closed_port(&held);

	(void)state;
	engine = engine_at(closed, 0);
	assert_int_equal(put_within(engine, PATIENT_MS), KV_NO_QUORUM);
	assert_int_equal(get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			 KV_NO_QUORUM);
	engine->calls->close(engine);
	/* And goes to the next endpoint. */
	liar_start(&liar, ANSWER, OK "{" HEADER "}");
	engine = engine_at(closed, liar.port);
	assert_int_equal(put_within(engine, PATIENT_MS), KV_DONE);
	assert_int_equal(asked(&liar), 1);
	engine->calls->close(engine);
	liar_stop(&liar);
	assert_memory_equal(liar.last, "POST /v3/kv/put HTTP/1.1", 24);
	close(held);
}

static void a_write_without_an_answer_is_unknown_and_not_sent_again(
	void **state)
{
	static const enum manner manners[] = {CLOSE, SILENT};
	struct liar liar, other;
	struct engine *engine;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int64_t begun = tick_now();

		liar_start(&liar, manners[i], NULL);
		liar_start(&other, ANSWER, OK "{" HEADER "}");
		engine = engine_at(liar.port, other.port);
		assert_int_equal(put_within(engine, 500), KV_UNKNOWN);
		assert_true(tick_now() - begun < 15 * TICK_S);
		assert_int_equal(asked(&liar), 1);
		assert_int_equal(asked(&other), 0);
		engine->calls->close(engine);
		liar_stop(&liar);
		liar_stop(&other);
	}
}

/* libcurl would send it again over a new connection. */
static void a_write_is_not_repeated_where_a_read_kept_the_connection(
	void **state)
{
	static const char kept[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"
		"{\"header\":{\"revision\":\"7\"}}   ";
	struct engine *engine;
	struct liar liar;

	(void)state;
	liar_start(&liar, KEEP, kept);
	engine = engine_at(liar.port, 0);
	assert_int_equal(get_within(engine, KV_STALE, PATIENT_MS),
			 KV_NOT_FOUND);
	assert_int_equal(put_within(engine, PATIENT_MS), KV_UNKNOWN);
	assert_int_equal(asked(&liar), 2);
	engine->calls->close(engine);
	liar_stop(&liar);
}

static void a_read_asks_the_next_endpoint_in_time(void **state)
{
	static const enum manner manners[] = {CLOSE, SILENT, FLOOD};
	struct liar liar, other;
	struct engine *engine;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		liar_start(&liar, manners[i], NULL);
		liar_start(&other, ANSWER,
			   OK "{" HEADER
			      ",\"kvs\":[{\"key\":\"aw==\",\"value\":\"dg==\","
			      "\"mod_revision\":\"3\"}],\"count\":\"1\"}");
		engine = engine_at(liar.port, other.port);
		assert_int_equal(
			get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			KV_DONE);
		assert_int_equal(asked(&liar), 1);
		/* It is remembered. */
		assert_int_equal(
			get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			KV_DONE);
		assert_int_equal(asked(&liar), 1);
		assert_int_equal(asked(&other), 2);
		engine->calls->close(engine);
		liar_stop(&liar);
		liar_stop(&other);
	}
}

static void etcds_refusals_are_told_apart(void **state)
{
	static const struct {
		const char *answer;
		kv_status status;
	} answers[] = {
		{"HTTP/1.1 503 x\r\n\r\n{\"error\":\"etcdserver: request timed "
		 "out\",\"code\":14}",
		 KV_UNKNOWN},
		{"HTTP/1.1 400 x\r\n\r\n{\"error\":\"etcdserver: request is "
		 "too large\",\"code\":3}",
		 KV_INVALID},
		{"HTTP/1.1 429 x\r\n\r\n{\"error\":\"etcdserver: mvcc: database "
		 "space exceeded\",\"code\":8}",
		 KV_TOO_LARGE},
		{"HTTP/1.1 404 x\r\n\r\nNot Found", KV_UNKNOWN},
		{"HTTP/1.1 500 x\r\n\r\n{" HEADER "}", KV_UNKNOWN},
		{"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n\r\n{}",
		 KV_UNKNOWN},
	};
	struct engine *engine;
	struct liar liar;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		liar_start(&liar, ANSWER, answers[i].answer);
		engine = engine_at(liar.port, 0);
		assert_int_equal(put_within(engine, PATIENT_MS),
				 answers[i].status);
		assert_int_not_equal(get_within(engine, KV_STALE, PATIENT_MS),
				     KV_DONE);
		engine->calls->close(engine);
		liar_stop(&liar);
	}
}

static void what_etcd_does_not_promise_is_not_sent(void **state)
{
	kv_write_args args = {.change = {.operation = KV_PUT,
					 .key = case_key("k"),
					 .id.sequence = 1},
			      .timeout_ms = 1000};
	kv_member_args member = {.change = KV_MEMBER_ADD, .id = 4};
	kv_write_result result = {0};
	struct engine *engine;
	struct liar liar;

	(void)state;
	liar_start(&liar, ANSWER, OK "{" HEADER "}");
	engine = engine_at(liar.port, 0);
	engine->calls->write(engine, &args, &result);
	assert_int_equal(result.status, KV_UNSUPPORTED);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	args.change.id.sequence = 0;
	for (int i = KV_INCR; i < 300; i += 97) {
		memset(&result, 0, sizeof(result));
		args.change.operation = (kv_operation)i;
		engine->calls->write(engine, &args, &result);
		assert_int_equal(result.status, KV_UNSUPPORTED);
		xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	}
	memset(&result, 0, sizeof(result));
	engine->calls->member(engine, &member, &result);
	assert_int_equal(result.status, KV_UNSUPPORTED);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	assert_int_equal(get_within(engine, KV_BOUNDED, 1000), KV_UNSUPPORTED);
	assert_int_equal(asked(&liar), 0);
	engine->calls->close(engine);
	liar_stop(&liar);
}

/* ---- lies ---- */

static const char *const lies[] = {
	"",
	"\0",
	"garbage\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
	OK,
	OK "null",
	OK "[]",
	OK "17",
	OK "{",
	OK "{}",
	OK "{\"header\":7}",
	OK "{\"header\":{}}",
	OK "{\"header\":{\"revision\":\"\"}}",
	OK "{\"header\":{\"revision\":\"-7\"}}",
	OK "{\"header\":{\"revision\":\"7x\"}}",
	OK "{\"header\":{\"revision\":\"99999999999999999999\"}}",
	OK "{\"header\":{\"revision\":-7}}",
	OK "{\"header\":{\"revision\":7.5}}",
	OK "{\"header\":{\"revision\":\"7\"},\"header\":{\"revision\":\"8\"}}",
};

static void call_all(struct engine *engine)
{
	kv_hello_result hello = {0};
	kv_status_result status = {0};
	kv_hash_result hash = {0};

	engine->calls->hello(engine, &hello);
	assert_true(hello.has_no_names);
	engine->calls->status(engine, &status);
	assert_non_null(status.engine);
	engine->calls->hash(engine, &hash);
	xdr_free((xdrproc_t)xdr_kv_hello_result, (char *)&hello);
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
}

static void what_is_no_etcd_is_not_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct engine *engine;
		struct liar liar;

		liar_start(&liar, ANSWER, lies[i]);
		engine = engine_at(liar.port, 0);
		assert_int_equal(put_within(engine, PATIENT_MS), KV_UNKNOWN);
		assert_int_equal(
			get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			KV_NO_QUORUM);
		assert_int_equal(list_within(engine, 2), KV_NO_QUORUM);
		call_all(engine);
		engine->calls->close(engine);
		liar_stop(&liar);
	}
}

#define KVS(pairs) OK "{" HEADER ",\"kvs\":" pairs "}"
#define PAIR(key, revision) \
	"{\"key\":" key ",\"value\":\"dg==\",\"mod_revision\":" revision "}"

static void pairs_that_cannot_be_are_not_believed(void **state)
{
	static const struct {
		const char *answer;
		kv_status get, list;
	} answers[] = {
		{KVS("[" PAIR("\"aw==\"", "\"3\"") "]"), KV_DONE, KV_DONE},
		{KVS("[]"), KV_NOT_FOUND, KV_DONE},
		{KVS("{}"), KV_NO_QUORUM, KV_NO_QUORUM},
		{KVS("\"aw==\""), KV_NO_QUORUM, KV_NO_QUORUM},
		{KVS("[7]"), KV_NO_QUORUM, KV_NO_QUORUM},
		{KVS("[" PAIR("7", "\"3\"") "]"), KV_NO_QUORUM, KV_NO_QUORUM},
		{KVS("[" PAIR("\"\"", "\"3\"") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		{KVS("[" PAIR("\"a\"", "\"3\"") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		{KVS("[" PAIR("\"aw==\"", "\"x\"") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		{KVS("[" PAIR("\"aw==\"", "[]") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		{KVS("[" PAIR("\"aw==\"", "0") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		/* Another key, or one before the first. */
		{KVS("[" PAIR("\"bA==\"", "\"3\"") "]"), KV_NO_QUORUM, KV_DONE},
		{KVS("[" PAIR("\"YQ==\"", "\"3\"") "]"), KV_NO_QUORUM,
		 KV_NO_QUORUM},
		/* Out of order; twice the same; more than were asked for. */
		{KVS("[" PAIR("\"bA==\"", "3") "," PAIR("\"aw==\"", "3") "]"),
		 KV_NO_QUORUM, KV_NO_QUORUM},
		{KVS("[" PAIR("\"aw==\"", "3") "," PAIR("\"aw==\"", "3") "]"),
		 KV_DONE, KV_NO_QUORUM},
		{KVS("[" PAIR("\"aw==\"", "3") "," PAIR(
			 "\"bA==\"", "3") "," PAIR("\"bQ==\"", "3") "]"),
		 KV_DONE, KV_NO_QUORUM},
		{OK "{" HEADER ",\"kvs\":[],\"more\":\"yes\"}", KV_NOT_FOUND,
		 KV_NO_QUORUM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct engine *engine;
		struct liar liar;

		liar_start(&liar, ANSWER, answers[i].answer);
		engine = engine_at(liar.port, 0);
		assert_int_equal(
			get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			answers[i].get);
		assert_int_equal(list_within(engine, 2), answers[i].list);
		engine->calls->close(engine);
		liar_stop(&liar);
	}
}

static void a_value_that_others_made_too_large_is_said_to_be(void **state)
{
	static char answer[4 * KV_VALUE_MAX];
	size_t len = 4 * (KV_VALUE_MAX / 3 + 1);
	struct engine *engine;
	struct liar liar;

	(void)state;
	snprintf(answer, sizeof(answer), "%s%0*d%s",
		 OK
		 "{" HEADER
		 ",\"kvs\":[{\"key\":\"aw==\",\"mod_revision\":3,\"value\":\"",
		 (int)len, 0, "\"}]}");
	liar_start(&liar, ANSWER, answer);
	engine = engine_at(liar.port, 0);
	assert_int_equal(get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			 KV_TOO_LARGE);
	assert_int_equal(list_within(engine, 2), KV_TOO_LARGE);
	engine->calls->close(engine);
	liar_stop(&liar);
}

static void a_flood_ends_where_it_becomes_too_much(void **state)
{
	struct engine *engine;
	struct liar liar;
	long before;

	(void)state;
	liar_start(&liar, FLOOD, NULL);
	engine = engine_at(liar.port, 0);
	before = support_resident_bytes();
	assert_int_equal(put_within(engine, PATIENT_MS), KV_UNKNOWN);
	assert_int_equal(get_within(engine, KV_LINEARIZABLE, PATIENT_MS),
			 KV_NO_QUORUM);
	/* A sanitizer keeps what was freed. */
	if (!support_is_sanitized())
		assert_true(support_resident_bytes() - before <
			    4 * GATEWAY_ANSWER_MAX);
	engine->calls->close(engine);
	liar_stop(&liar);
	/* Twice, with what the kernel holds on the way. */
	assert_true(liar.sent > 2 * GATEWAY_ANSWER_MAX);
	assert_true(liar.sent < 6 * GATEWAY_ANSWER_MAX);
}

static void endpoints_of_another_form_are_refused(void **state)
{
	static const char *const wrong[] = {"",
					    "host",
					    "host:",
					    "host:0",
					    "host:70000",
					    "ftp://host:1",
					    "http://a:1/path",
					    "a b:1",
					    "http://u@h:1",
					    "file:///etc/passwd"};
	const char *endpoints[GATEWAY_ENDPOINTS_MAX + 1];
	struct engine *engine;
	size_t bad;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		endpoints[0] = "localhost:2379";
		endpoints[1] = wrong[i];
		assert_int_equal(engine_etcd_open(&engine, endpoints, 2, &bad),
				 -EINVAL);
		assert_int_equal(bad, 1);
	}
	for (int i = 0; i <= GATEWAY_ENDPOINTS_MAX; i++)
		endpoints[i] = "https://[::1]:2379";
	assert_int_equal(engine_etcd_open(&engine, endpoints, 0, &bad),
			 -EINVAL);
	assert_int_equal(engine_etcd_open(&engine, endpoints,
					  GATEWAY_ENDPOINTS_MAX + 1, &bad),
			 -EINVAL);
	assert_int_equal(engine_etcd_open(&engine, endpoints,
					  GATEWAY_ENDPOINTS_MAX, &bad),
			 0);
	engine->calls->close(engine);
}

/* ---- a real one ---- */

struct etcd {
	struct scratch scratch;
	uint16_t port;
	pid_t pid;
	struct engine *engine;
};

static bool is_serving(void *arg)
{
	struct etcd *etcd = arg;
	kv_status_result status = {0};
	bool is;

	etcd->engine->calls->status(etcd->engine, &status);
	is = status.leader != 0;
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	return is;
}

static bool has_etcd(void)
{
	char *const argv[] = {"etcd", "--version", NULL};
	struct capture capture;
	bool has;

	capture_run(&capture, argv, NULL, 10000);
	has = capture.status == 0;
	capture_free(&capture);
	return has;
}

/* A cluster of one, for this test alone. */
static void etcd_start(struct etcd *etcd)
{
	char advertise_client[80], advertise_peer[80], listen_client[80],
		listen_peer[80], cluster[80];
	char script[] = "cd \"$1\" && shift && exec etcd \"$@\" "
			">etcd.log 2>&1";
	char *const spawned[] = {"sh",
				 "-c",
				 script,
				 "sh",
				 etcd->scratch.dir,
				 "--name=one",
				 "--data-dir=data",
				 listen_client,
				 advertise_client,
				 listen_peer,
				 advertise_peer,
				 cluster,
				 NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	uint16_t peer_port;
	int held[2];

	if (!has_etcd()) {
		print_message("needs etcd: scripts/install-deps --test\n");
		skip();
	}
	scratch_make(&etcd->scratch);
	etcd->port = listen_somewhere(&held[0]);
	peer_port = listen_somewhere(&held[1]);
	snprintf(listen_client, sizeof(listen_client),
		 "--listen-client-urls=http://127.0.0.1:%u", etcd->port);
	snprintf(advertise_client, sizeof(advertise_client),
		 "--advertise-client-urls=http://127.0.0.1:%u", etcd->port);
	snprintf(listen_peer, sizeof(listen_peer),
		 "--listen-peer-urls=http://127.0.0.1:%u", peer_port);
	snprintf(advertise_peer, sizeof(advertise_peer),
		 "--initial-advertise-peer-urls=http://127.0.0.1:%u",
		 peer_port);
	snprintf(cluster, sizeof(cluster),
		 "--initial-cluster=one=http://127.0.0.1:%u", peer_port);
	close(held[0]);
	close(held[1]);
	spec.argv = spawned;
	assert_int_equal(child_spawn(&spec, &etcd->pid), 0);
	etcd->engine = engine_at(etcd->port, 0);
	assert_true(support_wait_until(is_serving, etcd, 20000));
}

static void etcd_stop(struct etcd *etcd)
{
	etcd->engine->calls->close(etcd->engine);
	support_kill(&etcd->pid);
	scratch_remove(&etcd->scratch);
}

static void over_etcd_everything_means_what_it_means_over_raft(void **state)
{
	struct etcd etcd = {0};

	(void)state;
	etcd_start(&etcd);
	engine_cases(etcd.engine);
	etcd_stop(&etcd);
}

static void etcd_is_told_about_itself(void **state)
{
	kv_hello_result hello = {0};
	kv_status_result status = {0};
	kv_hash_result hash = {0}, after = {0};
	struct etcd etcd = {0};

	(void)state;
	etcd_start(&etcd);
	case_put(etcd.engine, "k", "v");
	etcd.engine->calls->hello(etcd.engine, &hello);
	etcd.engine->calls->status(etcd.engine, &status);
	assert_true(hello.revision >= 2);
	assert_memory_equal(hello.cluster, status.cluster, KV_CLUSTER_BYTES);
	assert_int_equal(hello.server, status.id);
	assert_int_equal(status.leader, status.id);
	assert_int_equal(status.role, KV_LEADER);
	assert_memory_equal(status.engine, "etcd 3.", 7);
	assert_int_equal(status.members.members_len, 1);
	assert_int_equal(status.members.members_val[0].id, status.id);
	assert_true(status.members.members_val[0].is_reachable);
	assert_true(strstr(status.members.members_val[0].address,
			   "http://127.0.0.1:") != NULL);
	etcd.engine->calls->hash(etcd.engine, &hash);
	assert_int_equal(hash.status, KV_DONE);
	assert_int_equal(hash.applied, hello.revision);
	case_put(etcd.engine, "k", "w");
	etcd.engine->calls->hash(etcd.engine, &after);
	assert_int_not_equal(hash.hash, after.hash);
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	etcd_stop(&etcd);
}

static void a_stopped_etcd_costs_no_more_than_the_deadline(void **state)
{
	struct etcd etcd = {0};
	int64_t begun;
	int status;

	(void)state;
	etcd_start(&etcd);
	assert_int_equal(kill(etcd.pid, SIGSTOP), 0);
	/* Until all of its threads stand still. */
	assert_int_equal(waitpid(etcd.pid, &status, WUNTRACED), etcd.pid);
	assert_true(WIFSTOPPED(status));
	begun = tick_now();
	assert_int_equal(put_within(etcd.engine, 2000), KV_UNKNOWN);
	assert_int_equal(get_within(etcd.engine, KV_STALE, 300), KV_NO_QUORUM);
	assert_true(tick_now() - begun < 15 * TICK_S);
	assert_int_equal(kill(etcd.pid, SIGCONT), 0);
	/* It was done after all: that is why it was not called failed. */
	assert_int_equal(put_within(etcd.engine, 10000), KV_DONE);
	support_kill(&etcd.pid);
	assert_int_equal(put_within(etcd.engine, 1000), KV_NO_QUORUM);
	etcd_stop(&etcd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_that_of_the_rfc),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(a_write_that_nobody_took_was_not_done),
		cmocka_unit_test(
			a_write_without_an_answer_is_unknown_and_not_sent_again),
		cmocka_unit_test(
			a_write_is_not_repeated_where_a_read_kept_the_connection),
		cmocka_unit_test(a_read_asks_the_next_endpoint_in_time),
		cmocka_unit_test(etcds_refusals_are_told_apart),
		cmocka_unit_test(what_etcd_does_not_promise_is_not_sent),
		cmocka_unit_test(what_is_no_etcd_is_not_believed),
		cmocka_unit_test(pairs_that_cannot_be_are_not_believed),
		cmocka_unit_test(
			a_value_that_others_made_too_large_is_said_to_be),
		cmocka_unit_test(a_flood_ends_where_it_becomes_too_much),
		cmocka_unit_test(endpoints_of_another_form_are_refused),
		cmocka_unit_test(
			over_etcd_everything_means_what_it_means_over_raft),
		cmocka_unit_test(etcd_is_told_about_itself),
		cmocka_unit_test(
			a_stopped_etcd_costs_no_more_than_the_deadline),
	};

	return SUPPORT_MAIN(tests);
}
