/* rpc_client.c - one call at a time, with what is repeated and what is not;
 * many in flight, for a poll loop; and a CLNT adapter for rpcgen's stubs.
 *
 * A call goes down from here by rpc_flight, rpc_message, rpc_link, and
 * rpc_stream or rpc_datagram; its reply comes up the same way, and nobody below
 * calls anybody above but the request's done and the flavor. */
#include "lib/rpc/rpc_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "lib/rpc/rpc_flight.h"
#include "lib/rpc/rpc_tirpc.h"
#include "lib/rpc/rpc_watch.h"
#include "lib/tick.h"

enum {
	MAX_RECORD_BYTES = 1 << 20,
	MAX_IN_FLIGHT = 64,
	MAX_IN_FLIGHT_LIMIT = 1 << 16,
	BACK_OFF_MAX_MS = 2000,
};

struct rpc_client {
	struct rpc_client_options options; /* no zeroes left; strings ours */
	struct rpc_flight flight;
	struct rpc_watch watch;
	int64_t spent_ns; /* for opening, of the first call's time */
	AUTH *none;       /* libtirpc's one and only AUTH_NONE */
	CLIENT handle;
	struct rpc_fault fault;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* For a procedure without arguments, or without a result. */
static bool_t xdr_nothing(XDR *xdrs, void *nothing)
{
	(void)xdrs, (void)nothing;
	return TRUE;
}

/* ---- one at a time ---- */

struct outcome {
	bool is_over;
	struct rpc_fault fault;
};

static void note_outcome(const struct rpc_fault *fault, void *arg)
{
	struct outcome *outcome = arg;

	outcome->is_over = true;
	outcome->fault = *fault;
}

static void call_once(struct rpc_client *client,
		      const struct rpc_client_request *request,
		      int64_t deadline, struct outcome *outcome)
{
	*outcome = (struct outcome){.is_over = false};
	if (rpc_flight_start(&client->flight, request, deadline,
			     &outcome->fault))
		return;
	while (!outcome->is_over)
		if (rpc_flight_step(&client->flight, deadline) == -EINTR &&
		    !outcome->is_over)
			rpc_flight_interrupt(&client->flight, outcome);
}

/* Wait before another attempt; longer from time to time. */
static bool back_off(const struct rpc_client *client, unsigned int attempt,
		     int64_t deadline, struct rpc_fault *fault)
{
	int64_t wait = client->options.retry_ns;

	while (attempt-- > 0 && wait < BACK_OFF_MAX_MS * TICK_MS)
		wait *= 2;
	if (tick_left(deadline) <= wait)
		return false;
	if (tick_sleep_until(tick_after(wait)) == -EINTR) {
		rpc_fault_set(fault, RPC_FAULT_INTERRUPTED, 0, fault->was_sent);
		return false;
	}
	return true;
}

/* Datagrams are retransmitted by rpc_flight.c. */
static bool may_try_again(const struct rpc_client *client,
			  const struct rpc_fault *fault, unsigned int attempt)
{
	if (client->options.transport == RPC_UDP ||
	    attempt >= client->options.retries)
		return false;
	switch (fault->kind) {
	case RPC_FAULT_LOST:
		return client->options.may_repeat;
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_NO_RPCBIND:
	case RPC_FAULT_NOT_REGISTERED:
	case RPC_FAULT_HOST:
		return true;
	default:
		return false;
	}
}

static void call_often(struct rpc_client *client,
		       const struct rpc_client_request *request,
		       int64_t deadline, struct outcome *outcome)
{
	uint32_t xid = client->flight.xid;
	bool was_lost = false;

	for (unsigned int attempt = 0;; attempt++) {
		/* The same, so that a server may know it again. */
		client->flight.xid = xid;
		call_once(client, request, deadline, outcome);
		outcome->fault.was_sent |= was_lost;
		was_lost = outcome->fault.was_sent;
		if (!may_try_again(client, &outcome->fault, attempt) ||
		    !back_off(client, attempt, deadline, &outcome->fault))
			break;
	}
	/* It was sent once, and that the server could not be found again does
	 * not change that. */
	switch (outcome->fault.kind) {
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_NO_RPCBIND:
	case RPC_FAULT_NOT_REGISTERED:
	case RPC_FAULT_HOST:
		if (was_lost)
			outcome->fault.kind = RPC_FAULT_LOST;
		break;
	default:
		break;
	}
}

static int64_t deadline_of(struct rpc_client *client)
{
	int64_t left = client->options.timeout_ns - client->spent_ns;

	client->spent_ns = 0;
	return earlier(tick_after(left > 0 ? left : 1), client->flight.latest);
}

static struct rpc_client_request fill_in_request(
	struct rpc_client_request request)
{
	if (!request.xdr_args)
		request.xdr_args = (xdrproc_t)xdr_nothing;
	if (!request.xdr_result)
		request.xdr_result = (xdrproc_t)xdr_nothing;
	return request;
}

enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault)
{
	struct outcome outcome;
	const struct rpc_client_request request =
		fill_in_request((struct rpc_client_request){
			.procedure = procedure,
			.xdr_args = xdr_args,
			.args = args,
			.xdr_result = xdr_result,
			.result = result,
			.done = note_outcome,
			.arg = &outcome,
		});

	call_often(client, &request, deadline_of(client), &outcome);
	client->fault = *fault = outcome.fault;
	return fault->kind;
}

/* ---- many in flight ---- */

/* Keep the poll loop's descriptor at what there is to wait for. */
static void watch(struct rpc_client *client)
{
	const struct rpc_flight *flight = &client->flight;

	rpc_watch_set(&client->watch, rpc_link_fd(&flight->link),
		      flight->link.n_opened,
		      rpc_stream_has_output(&flight->link.stream),
		      flight->next_at);
}

enum rpc_fault_kind rpc_client_start(struct rpc_client *client,
				     const struct rpc_client_request *request,
				     struct rpc_fault *fault)
{
	const struct rpc_client_request whole = fill_in_request(*request);

	rpc_flight_start(&client->flight, &whole, deadline_of(client), fault);
	watch(client);
	return fault->kind;
}

size_t rpc_client_in_flight(const struct rpc_client *client)
{
	return client->flight.in_flight;
}

unsigned int rpc_client_process(struct rpc_client *client)
{
	unsigned int before = client->flight.n_ended;

	/* Also with none in flight: the server may have closed. */
	rpc_flight_step(&client->flight, 0);
	watch(client);
	return client->flight.n_ended - before;
}

int rpc_client_wait(struct rpc_client *client, int64_t deadline)
{
	unsigned int before = client->flight.n_ended;
	int rc = 0;

	while (client->flight.in_flight > 0 &&
	       client->flight.n_ended == before && !rc)
		rc = rpc_flight_step(&client->flight, deadline);
	watch(client);
	return client->flight.n_ended != before
		       ? (int)(client->flight.n_ended - before)
		       : rc;
}

int rpc_client_poll_fd(struct rpc_client *client)
{
	int fd = rpc_watch_open(&client->watch);

	watch(client);
	return fd;
}

/* ---- settings ---- */

void rpc_client_set_version(struct rpc_client *client, uint32_t version)
{
	client->options.version = version;
}

void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns)
{
	client->options.timeout_ns = timeout_ns;
	client->spent_ns = 0;
}

void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat)
{
	client->options.may_repeat = may_repeat;
}

void rpc_client_set_xid(struct rpc_client *client, uint32_t xid)
{
	client->flight.xid = xid - 1;
}

void rpc_client_set_flavor(struct rpc_client *client,
			   const struct rpc_auth_client *flavor)
{
	rpc_flight_set_flavor(&client->flight, flavor);
	client->handle.cl_auth = client->none;
}

void rpc_client_set_auth(struct rpc_client *client, AUTH *auth)
{
	struct rpc_auth_client flavor;

	if (auth && auth == client->handle.cl_auth)
		return;
	rpc_client_set_flavor(client, NULL);
	if (!auth)
		return;
	flavor = rpc_tirpc_flavor(auth);
	rpc_client_set_flavor(client, &flavor);
	client->handle.cl_auth = auth;
}

uint16_t rpc_client_port(const struct rpc_client *client)
{
	return rpc_link_port(&client->flight.link);
}

int rpc_client_fd(const struct rpc_client *client)
{
	return rpc_link_fd(&client->flight.link);
}

/* ---- the CLNT adapter: a client handle of libtirpc ---- */

static enum clnt_stat handle_call(CLIENT *handle, rpcproc_t procedure,
				  xdrproc_t xdr_args, void *args,
				  xdrproc_t xdr_result, void *result,
				  struct timeval timeout)
{
	struct rpc_fault fault;

	(void)timeout;
	if (rpc_client_call(handle->cl_private, procedure, xdr_args, args,
			    xdr_result, result, &fault))
		return rpc_fault_clnt_stat(&fault);
	return RPC_SUCCESS;
}

static void handle_abort(CLIENT *handle)
{
	(void)handle;
}

static void handle_geterr(CLIENT *handle, struct rpc_err *error)
{
	const struct rpc_fault *fault = rpc_client_fault(handle->cl_private);

	memset(error, 0, sizeof(*error));
	error->re_status = rpc_fault_clnt_stat(fault);
	switch (fault->kind) {
	case RPC_FAULT_AUTH:
		error->re_why = fault->why;
		break;
	case RPC_FAULT_VERIFIER:
		error->re_why = AUTH_INVALIDRESP;
		break;
	case RPC_FAULT_VERSION:
	case RPC_FAULT_RPC_VERSION:
		error->re_vers.low = fault->low;
		error->re_vers.high = fault->high;
		break;
	default:
		error->re_errno = fault->error;
	}
}

static bool_t handle_freeres(CLIENT *handle, xdrproc_t xdr_result, void *result)
{
	(void)handle;
	xdr_free(xdr_result, result);
	return TRUE;
}

static void handle_destroy(CLIENT *handle)
{
	(void)handle;
}

static bool_t handle_control(CLIENT *handle, u_int request, void *info)
{
	struct rpc_client *client = handle->cl_private;
	const struct timeval *tv = info;

	switch (request) {
	case CLSET_TIMEOUT:
		rpc_client_set_timeout(
			client, tv->tv_sec * TICK_S + tv->tv_usec * TICK_US);
		return TRUE;
	case CLSET_VERS:
		rpc_client_set_version(client, *(const uint32_t *)info);
		return TRUE;
	case CLSET_XID:
		rpc_client_set_xid(client, *(const uint32_t *)info);
		return TRUE;
	case CLGET_FD:
		*(int *)info = rpc_client_fd(client);
		return *(int *)info >= 0;
	default:
		return FALSE;
	}
}

/* All but cl_auth. */
static void init_handle(CLIENT *handle, struct rpc_client *client)
{
	/* The type wants it writable; nobody writes. */
	static struct clnt_ops operations = {
		.cl_call = handle_call,
		.cl_abort = handle_abort,
		.cl_geterr = handle_geterr,
		.cl_freeres = handle_freeres,
		.cl_destroy = handle_destroy,
		.cl_control = handle_control,
	};

	memset(handle, 0, sizeof(*handle));
	handle->cl_ops = &operations;
	handle->cl_private = client;
}

CLIENT *rpc_client_handle(struct rpc_client *client)
{
	return &client->handle;
}

const struct rpc_fault *rpc_client_fault(const struct rpc_client *client)
{
	return &client->fault;
}

/* ---- life ---- */

static void fill_in(struct rpc_client_options *options)
{
	unsigned int most =
		options->max_in_flight ? options->max_in_flight : MAX_IN_FLIGHT;

	if (!options->timeout_ns)
		options->timeout_ns = 25 * TICK_S;
	if (!options->connect_ns)
		options->connect_ns = 5 * TICK_S;
	options->connect_ns = earlier(options->connect_ns, options->timeout_ns);
	if (!options->retry_ns)
		options->retry_ns = options->transport == RPC_UDP
					    ? 500 * TICK_MS
					    : 50 * TICK_MS;
	if (!options->max_record_bytes)
		options->max_record_bytes = MAX_RECORD_BYTES;
	for (options->max_in_flight = 1;
	     options->max_in_flight < most &&
	     options->max_in_flight < MAX_IN_FLIGHT_LIMIT;)
		options->max_in_flight *= 2;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* Returns NULL: no memory. */
static struct rpc_client *create(const struct rpc_client_options *options)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->options = *options;
	fill_in(&client->options);
	client->options.host =
		copy(options->host ? options->host : "localhost");
	client->options.unix_path = copy(options->unix_path);
	rpc_watch_init(&client->watch);
	client->none = authnone_create();
	init_handle(&client->handle, client);
	client->handle.cl_auth = client->none;
	if (rpc_flight_init(&client->flight, &client->options, client) == 0 &&
	    client->options.host &&
	    (!options->unix_path || client->options.unix_path))
		return client;
	rpc_client_close(client);
	return NULL;
}

enum rpc_fault_kind rpc_client_open(struct rpc_client **out,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault)
{
	struct rpc_client *client = create(options);
	int64_t begun = tick_now();

	*out = NULL;
	if (!client)
		return rpc_fault_set(fault, RPC_FAULT_LOCAL, ENOMEM, false);
	if (rpc_link_connect(&client->flight.link, TICK_NEVER, fault)) {
		rpc_client_close(client);
		return fault->kind;
	}
	client->spent_ns = tick_now() - begun;
	*out = client;
	return RPC_FAULT_NONE;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	rpc_flight_fini(&client->flight);
	rpc_watch_fini(&client->watch);
	free((char *)(uintptr_t)client->options.host);
	free((char *)(uintptr_t)client->options.unix_path);
	free(client);
}
