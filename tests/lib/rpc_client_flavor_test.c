/* What the interfaces of flavors and of the stream can carry: a flavor that
 * makes a context by calls of its own, seals arguments and results under a
 * sequence number, answers calls itself, drops what it has seen, and makes
 * another context when the server has forgotten its own, as RPCSEC_GSS does
 * (RFC 2203); and a stream whose bytes pass through a layer, as they do with
 * TLS (RFC 9289). */
#include "lib/rpc/rpc_stream.h"
#include "tests/lib/rpc_fake_fixture.h"

enum { TOY = 390000, MAKE = 1, USE = 0, WORDS = 3, KEY = 0x5a, SEEN = 4096 };

/* ---- the server's half ---- */

/* The credential is three words: what to do, context, sequence number. */
static struct {
	atomic_uint context; /* the one that there is */
	atomic_int made, dropped;
	atomic_bool seen[SEEN];
	atomic_int sealed_wrong;
	unsigned int off; /* told contexts are not those that hold */
} toy;

static uint32_t word_of(const struct rpc_call *call, size_t i)
{
	return rpc_message_get32(call->cred.body + 4 * i);
}

static uint8_t key_of(uint32_t sequence)
{
	return (uint8_t)(KEY + sequence);
}

static enum auth_stat verify(void *state, const struct rpc_call *call,
			     const struct rpc_peer *peer,
			     struct rpc_identity *who,
			     struct rpc_verifier *verf)
{
	uint32_t sequence;

	(void)state, (void)peer;
	if (call->cred.bytes != 4 * WORDS)
		return AUTH_BADCRED;
	sequence = word_of(call, 2);
	verf->flavor = TOY;
	verf->bytes = 4;
	rpc_message_put32(verf->body, ~sequence);
	if (word_of(call, 0) == MAKE)
		return AUTH_OK;
	if (word_of(call, 1) != atomic_load(&toy.context))
		return RPCSEC_GSS_CTXPROBLEM;
	if (sequence >= SEEN || atomic_exchange(&toy.seen[sequence], true)) {
		atomic_fetch_add(&toy.dropped, 1);
		return RPC_AUTH_DROP;
	}
	who->handle = sequence;
	return AUTH_OK;
}

static ssize_t answer(void *state, const struct rpc_call *call,
		      const struct rpc_identity *who, struct rpc_buffer *reply,
		      size_t offset)
{
	(void)state, (void)who;
	if (word_of(call, 0) != MAKE)
		return -EAGAIN;
	/* "Continue needed", until the second token. */
	if (rpc_buffer_reserve(reply, offset + 4) || call->args_bytes != 4)
		return -EINVAL;
	if (rpc_message_get32(call->args) == 2) {
		atomic_fetch_add(&toy.made, 1);
		rpc_message_put32(reply->bytes + offset,
				  atomic_load(&toy.context) + toy.off);
	} else {
		rpc_message_put32(reply->bytes + offset, 0);
	}
	return 4;
}

static int server_unwrap(void *state, const struct rpc_identity *who,
			 const uint8_t **bytes, size_t *n,
			 struct rpc_buffer *scratch)
{
	(void)state;
	if (rpc_buffer_reserve(scratch, *n + 1) || *n < 4)
		return -EBADMSG;
	for (size_t i = 0; i < *n; i++)
		scratch->bytes[i] = (*bytes)[i] ^ key_of((uint32_t)who->handle);
	*bytes = scratch->bytes;
	/* In front of the arguments stands the number once more. */
	if (rpc_message_get32(*bytes) != who->handle) {
		atomic_fetch_add(&toy.sealed_wrong, 1);
		return -EBADMSG;
	}
	*bytes += 4;
	*n -= 4;
	return 0;
}

static ssize_t server_wrap(void *state, const struct rpc_identity *who,
			   struct rpc_buffer *reply, size_t offset, size_t n)
{
	(void)state;
	for (size_t i = 0; i < n; i++)
		reply->bytes[offset + i] ^= key_of((uint32_t)who->handle);
	return (ssize_t)n;
}

static const struct rpc_auth_flavor server_flavor = {
	.number = TOY,
	.name = "toy",
	.verify = verify,
	.answer = answer,
	.unwrap = server_unwrap,
	.wrap = server_wrap,
};
static const struct rpc_auth_flavor *const server_flavors[] = {&server_flavor};

/* ---- the client's half ---- */

struct context {
	uint32_t number; /* 0: to be made */
	uint32_t sequence, made_at;
	bool is_making;
	bool repeats; /* its last sequence number: it will be dropped */
	int prepared, refreshed, destroyed;
};

static enum rpc_fault_kind prepare(void *state, struct rpc_client *client,
				   struct rpc_fault *fault)
{
	struct context *context = state;

	for (uint32_t token = 1; context->number == 0 && token <= 2; token++) {
		context->is_making = true;
		rpc_client_call(client, 0, (xdrproc_t)xdr_uint32_t, &token,
				(xdrproc_t)xdr_uint32_t, &context->number,
				fault);
		context->is_making = false;
		context->made_at = context->sequence;
		if (fault->kind)
			return fault->kind;
		context->prepared++;
	}
	return RPC_FAULT_NONE;
}

static ssize_t seal(void *state, uint64_t *token, uint8_t *message, size_t n,
		    size_t room)
{
	struct context *context = state;
	uint8_t body[4 * WORDS];
	const struct rpc_opaque cred = {TOY, sizeof(body), body};
	const struct rpc_opaque verf = {TOY, 4, body + 8};
	ssize_t added;

	if (!context->repeats)
		context->sequence++;
	*token = context->sequence;
	rpc_message_put32(body, context->is_making ? MAKE : USE);
	rpc_message_put32(body + 4, context->number);
	rpc_message_put32(body + 8, context->sequence);
	added = rpc_message_encode_opaque(message + n, room - n, &cred);
	if (added < 0)
		return added;
	n += (size_t)added;
	added = rpc_message_encode_opaque(message + n, room - n, &verf);
	return added < 0 ? added : (ssize_t)n + added;
}

static bool client_wrap(void *state, uint64_t token, XDR *xdrs,
			xdrproc_t xdr_args, void *args)
{
	const struct context *context = state;
	uint32_t sequence = (uint32_t)token;
	u_int from = xdr_getpos(xdrs), to;
	uint8_t *bytes;

	if (context->is_making)
		return xdr_args(xdrs, args);
	if (!xdr_uint32_t(xdrs, &sequence) || !xdr_args(xdrs, args))
		return false;
	to = xdr_getpos(xdrs);
	if (!xdr_setpos(xdrs, from))
		return false;
	bytes = (uint8_t *)xdr_inline(xdrs, to - from);
	for (u_int i = 0; bytes && i < to - from; i++)
		bytes[i] ^= key_of(sequence);
	return bytes;
}

/* Tied to the call by its token, whatever was sent since. */
static bool validate(void *state, uint64_t token, const struct rpc_opaque *verf)
{
	(void)state;
	return verf->flavor == TOY && verf->bytes == 4 &&
	       rpc_message_get32(verf->body) == ~(uint32_t)token;
}

static bool client_unwrap(void *state, uint64_t token, XDR *xdrs,
			  xdrproc_t xdr_result, void *result)
{
	const struct context *context = state;
	u_int from = xdr_getpos(xdrs);
	uint8_t *byte;

	if (context->is_making)
		return xdr_result(xdrs, result);
	while ((byte = (uint8_t *)xdr_inline(xdrs, 4)))
		for (int i = 0; i < 4; i++)
			byte[i] ^= key_of((uint32_t)token);
	return xdr_setpos(xdrs, from) && xdr_result(xdrs, result);
}

static bool refresh(void *state, uint64_t token, enum auth_stat why)
{
	struct context *context = state;

	if (why != RPCSEC_GSS_CTXPROBLEM)
		return false;
	/* Not what was made anew since that call. */
	if (!context->is_making && token > context->made_at) {
		context->refreshed++;
		context->number = 0;
	}
	return true;
}

static void destroy(void *state)
{
	((struct context *)state)->destroyed++;
}

static struct rpc_auth_client client_flavor(struct context *context)
{
	return (struct rpc_auth_client){
		.number = TOY,
		.name = "toy",
		.prepare = prepare,
		.seal = seal,
		.wrap = client_wrap,
		.validate = validate,
		.unwrap = client_unwrap,
		.refresh = refresh,
		.destroy = destroy,
		.state = context,
	};
}

/* ---- both ---- */

static void serve_toy(struct fixture *f)
{
	atomic_store(&toy.context, 77);
	atomic_store(&toy.made, 0);
	atomic_store(&toy.dropped, 0);
	atomic_store(&toy.sealed_wrong, 0);
	toy.off = 0;
	for (int i = 0; i < SEEN; i++)
		atomic_store(&toy.seen[i], false);
	*f = (struct fixture){.options = all_transports()};
	f->options.dispatch.flavors = server_flavors;
	f->options.dispatch.n_flavors = 1;
	start_server(f);
}

static struct rpc_client *open_toy(const struct fixture *f,
				   enum rpc_transport transport,
				   struct context *context)
{
	const struct rpc_auth_client flavor = client_flavor(context);
	struct rpc_client *client = open_client(f, transport);

	rpc_client_set_flavor(client, &flavor);
	return client;
}

static void flavor_makes_a_context_first_and_seals_what_follows(void **state)
{
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f;
	int32_t sum;

	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct context context = {.number = 0};

		serve_toy(&f);
		client = open_toy(&f, (enum rpc_transport)t, &context);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(call_add(client, i, 100, &sum, &fault),
					 0);
			assert_int_equal(sum, i + 100);
		}
		/* Two tokens, once. */
		assert_int_equal(context.prepared, 2);
		assert_int_equal(atomic_load(&toy.made), 1);
		assert_int_equal(context.number, 77);
		rpc_client_close(client);
		assert_int_equal(context.destroyed, 1);
		stop_server(&f);
	}
}

static void forgotten_context_is_made_again_and_the_call_sent_again(
	void **state)
{
	struct context context = {.number = 0};
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f;
	int32_t sum;

	(void)state;
	serve_toy(&f);
	client = open_toy(&f, RPC_TCP, &context);
	assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
	atomic_store(&toy.context, 78);
	assert_int_equal(call_add(client, 3, 4, &sum, &fault), 0);
	assert_int_equal(sum, 7);
	assert_int_equal(context.refreshed, 1);
	assert_int_equal(context.number, 78);
	assert_int_equal(atomic_load(&toy.made), 2);
	rpc_client_close(client);
	stop_server(&f);
}

static void context_that_never_holds_is_made_again_once(void **state)
{
	struct context context = {.number = 0};
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f;
	int32_t sum;

	(void)state;
	serve_toy(&f);
	toy.off = 1;
	client = open_toy(&f, RPC_TCP, &context);
	assert_int_equal(call_add(client, 1, 2, &sum, &fault), RPC_FAULT_AUTH);
	assert_int_equal(fault.why, RPCSEC_GSS_CTXPROBLEM);
	assert_int_equal(rpc_fault_outcome(&fault), RPC_OUTCOME_REFUSED);
	assert_int_equal(context.refreshed, 1);
	assert_int_equal(atomic_load(&toy.made), 2);
	rpc_client_close(client);
	stop_server(&f);
}

/* The server is silent while the context is made: that call may have come, and
 * the one that it is for has not been sent. */
static void take_and_be_silent(struct fake *fake)
{
	fake_take(fake, 2);
}

static void call_whose_context_cannot_be_made_was_not_done(void **state)
{
	struct context context = {.number = 0};
	const struct rpc_auth_client flavor = client_flavor(&context);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;
	int32_t sum;

	(void)state;
	fake_start(&fake, take_and_be_silent, NULL);
	options = fake_options(&fake);
	options.timeout_ns = 100 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_flavor(client, &flavor);
	assert_int_equal(call_add(client, 1, 2, &sum, &fault),
			 RPC_FAULT_TIMED_OUT);
	assert_int_equal(rpc_fault_outcome(&fault), RPC_OUTCOME_NOT_DONE);
	rpc_client_close(client);
	fake_end(&fake);
}

static void repeated_sequence_number_gets_no_reply(void **state)
{
	struct context context = {.number = 0};
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f;
	int32_t sum;

	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		context = (struct context){.number = 0};
		serve_toy(&f);
		client = open_toy(&f, (enum rpc_transport)t, &context);
		assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
		context.repeats = true;
		rpc_client_set_timeout(client, 100 * TICK_MS);
		assert_int_equal(call_add(client, 1, 2, &sum, &fault),
				 RPC_FAULT_TIMED_OUT);
		assert_int_equal(atomic_load(&toy.dropped), 1);
		context.repeats = false;
		rpc_client_set_timeout(client, 60 * TICK_S);
		assert_int_equal(call_add(client, 5, 2, &sum, &fault), 0);
		assert_int_equal(sum, 7);
		rpc_client_close(client);
		stop_server(&f);
	}
}

static void note(const struct rpc_fault *fault, void *arg)
{
	int *n = arg;

	if (fault->kind == RPC_FAULT_NONE)
		++*n;
}

/* Each reply is opened by what its own call was sealed with, and a context that
 * is lost meanwhile is made again for all that need it. */
static void many_in_flight_keep_their_own_tokens(void **state)
{
	enum { CALLS = 32 };
	struct context context = {.number = 0};
	struct pair pairs[CALLS];
	int32_t sums[CALLS] = {0};
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f;
	int n_done = 0;

	(void)state;
	serve_toy(&f);
	client = open_toy(&f, RPC_TCP, &context);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < CALLS; i++) {
			const struct rpc_client_request request = {
				.procedure = ADD,
				.xdr_args = (xdrproc_t)xdr_pair,
				.args = &pairs[i],
				.xdr_result = (xdrproc_t)xdr_int32_t,
				.result = &sums[i],
				.done = note,
				.arg = &n_done,
			};

			pairs[i] = (struct pair){i, 1000 * round};
			assert_int_equal(
				rpc_client_start(client, &request, &fault), 0);
			if (round == 1 && i == CALLS / 2)
				atomic_store(&toy.context, 79);
		}
		while (rpc_client_in_flight(client) > 0)
			assert_true(rpc_client_wait(client,
						    tick_after(60 * TICK_S)) >=
				    0);
		assert_int_equal(n_done, CALLS * (round + 1));
		for (int i = 0; i < CALLS; i++)
			assert_int_equal(sums[i], i + 1000 * round);
	}
	assert_int_equal(atomic_load(&toy.sealed_wrong), 0);
	assert_int_equal(context.refreshed, 1);
	assert_int_equal(atomic_load(&toy.made), 2);
	rpc_client_close(client);
	stop_server(&f);
}

/* Who answers without the key is not believed, nor is it said that nothing was
 * done. */
static void answer_without_verifier(struct fake *fake)
{
	if (fake_take(fake, 1) && fake_answer(fake, fake->xids[0], 42))
		fake_take(fake, 2);
}

static void reply_with_a_wrong_verifier_is_not_believed(void **state)
{
	struct context context = {.number = 77};
	const struct rpc_auth_client flavor = client_flavor(&context);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;
	int32_t sum;

	(void)state;
	fake_start(&fake, answer_without_verifier, NULL);
	options = fake_options(&fake);
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_flavor(client, &flavor);
	assert_int_equal(call_add(client, 1, 2, &sum, &fault),
			 RPC_FAULT_VERIFIER);
	assert_true(rpc_fault_is_unknown(&fault));
	assert_int_equal(sum, 0);
	rpc_client_close(client);
	fake_end(&fake);
}

/* ---- a layer on the stream ---- */

/* "Encrypts", and moves few bytes at a time, as TLS records are not ours. */
struct layer {
	int read, written, closed;
};

static ssize_t layer_read(void *state, int fd, void *buf, size_t n)
{
	struct layer *layer = state;
	uint8_t *byte = buf;
	ssize_t got = recv(fd, buf, n < 7 ? n : 7, MSG_DONTWAIT);

	for (ssize_t i = 0; i < got; i++)
		byte[i] ^= KEY;
	layer->read += got > 0;
	return got < 0 ? -errno : got;
}

static ssize_t layer_write(void *state, int fd, const void *buf, size_t n)
{
	struct layer *layer = state;
	uint8_t few[5];
	ssize_t put;

	n = n < sizeof(few) ? n : sizeof(few);
	memcpy(few, buf, n);
	for (size_t i = 0; i < n; i++)
		few[i] ^= KEY;
	put = send(fd, few, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	layer->written += put > 0;
	return put < 0 ? -errno : put;
}

static void layer_close(void *state)
{
	((struct layer *)state)->closed++;
}

static int put_layer(struct rpc_stream *stream, struct layer *layer)
{
	const struct rpc_layer functions = {.read = layer_read,
					    .write = layer_write,
					    .close = layer_close,
					    .state = layer};

	rpc_stream_set_layer(stream, &functions);
	return 0;
}

/* In clear: "may I?", "you may"; then both go on behind the layer. */
static const uint8_t may_i[4] = {'m', 'a', 'y', '?'};
static const uint8_t you_may[4] = {'m', 'a', 'y', '!'};

static int secure(struct rpc_stream *stream, int64_t deadline, void *arg)
{
	uint8_t *record = rpc_stream_reserve(stream, 4);
	ssize_t n;
	int rc = 0;

	memcpy(record, may_i, 4);
	rpc_stream_put(stream, 4);
	while ((n = rpc_stream_next(stream, &record)) == -EAGAIN && !rc)
		rc = rpc_stream_fill(stream, deadline);
	if (rc || n != 4 || memcmp(record, you_may, 4) != 0)
		return rc ? rc : -EPROTO;
	return put_layer(stream, arg);
}

static void serve_behind_a_layer(struct fake *fake)
{
	struct layer layer = {.read = 0};
	uint8_t *record;

	if (!fake_take(fake, 1) || fake->xids[0] != rpc_message_get32(may_i))
		return;
	record = rpc_stream_reserve(&fake->stream, 4);
	memcpy(record, you_may, 4);
	rpc_stream_put(&fake->stream, 4);
	if (rpc_stream_flush(&fake->stream))
		return;
	put_layer(&fake->stream, &layer);
	while (fake_take(fake, fake->n_calls + 1) &&
	       fake_answer(fake, fake->xids[fake->n_calls - 1], 42))
		;
	rpc_stream_close(&fake->stream); /* as long as the layer is there */
}

static void stream_goes_through_a_layer(void **state)
{
	struct layer layer = {.read = 0};
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;
	int32_t sum;

	(void)state;
	fake_start(&fake, serve_behind_a_layer, NULL);
	options = fake_options(&fake);
	options.secure = secure;
	options.arg = &layer;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
		assert_int_equal(sum, 42);
	}
	assert_true(layer.read > 3 && layer.written > 3 * 52 / 5);
	rpc_client_close(client);
	assert_int_equal(layer.closed, 1);
	fake_end(&fake);
}

static int refuse(struct rpc_stream *stream, int64_t deadline, void *arg)
{
	(void)stream, (void)deadline, (void)arg;
	return -EACCES;
}

static void server_that_cannot_be_secured_is_not_called(void **state)
{
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fixture f = {.options = all_transports()};

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_TCP);
	options.secure = refuse;
	assert_int_equal(rpc_client_open(&client, &options, &fault),
			 RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, EACCES);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			flavor_makes_a_context_first_and_seals_what_follows),
		cmocka_unit_test(
			forgotten_context_is_made_again_and_the_call_sent_again),
		cmocka_unit_test(
			call_whose_context_cannot_be_made_was_not_done),
		cmocka_unit_test(context_that_never_holds_is_made_again_once),
		cmocka_unit_test(repeated_sequence_number_gets_no_reply),
		cmocka_unit_test(many_in_flight_keep_their_own_tokens),
		cmocka_unit_test(reply_with_a_wrong_verifier_is_not_believed),
		cmocka_unit_test(stream_goes_through_a_layer),
		cmocka_unit_test(server_that_cannot_be_secured_is_not_called),
	};

	return SUPPORT_MAIN(tests);
}
