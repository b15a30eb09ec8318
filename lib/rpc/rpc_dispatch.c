/* rpc_dispatch.c - the order in which a call is looked at: RPC version,
 * who, program and version, procedure, may it, arguments, and then it is
 * served. The first that is not as it should be makes the reply. */
#include "lib/rpc/rpc_dispatch.h"

#include <errno.h>
#include <string.h>

enum { ALIGNMENT = 16 };

/* What goes from step to step. */
struct context {
	const struct rpc_dispatch *dispatch;
	struct rpc_request request;
	const struct rpc_auth_flavor *flavor;
	struct rpc_identity *who; /* in scratch */
	struct rpc_verifier verf;
	struct rpc_scratch *scratch;
	struct rpc_buffer *reply;
	size_t offset;
};

void rpc_dispatch_scratch_init(struct rpc_scratch *scratch)
{
	rpc_buffer_init(&scratch->values, SIZE_MAX / 2);
	rpc_buffer_init(&scratch->plain, SIZE_MAX / 2);
}

void rpc_dispatch_scratch_fini(struct rpc_scratch *scratch)
{
	rpc_buffer_fini(&scratch->values);
	rpc_buffer_fini(&scratch->plain);
}

/* ---- the parts of a reply ---- */

/* There is room: rpc_dispatch_answer() has seen to it. */
static ssize_t put_reply(struct context *context, struct rpc_reply reply)
{
	reply.xid = context->request.call->xid;
	return rpc_message_encode_reply(context->reply->bytes + context->offset,
					RPC_MESSAGE_REPLY_MAX, &reply);
}

static ssize_t accepted(struct context *context, enum accept_stat status)
{
	return put_reply(context,
			 (struct rpc_reply){
				 .stat = MSG_ACCEPTED,
				 .status = status,
				 .verf = rpc_message_opaque(&context->verf),
			 });
}

static ssize_t denied(struct context *context, enum auth_stat why)
{
	return put_reply(context, (struct rpc_reply){
					  .stat = MSG_DENIED,
					  .status = AUTH_ERROR,
					  .why = why,
				  });
}

static ssize_t other_rpc_version(struct context *context)
{
	return put_reply(context, (struct rpc_reply){
					  .stat = MSG_DENIED,
					  .status = RPC_MISMATCH,
					  .low = RPC_MESSAGE_VERSION,
					  .high = RPC_MESSAGE_VERSION,
				  });
}

/* The program is not there, not in this version, or has no such procedure. */
static ssize_t unavailable(struct context *context)
{
	const struct rpc_dispatch *dispatch = context->dispatch;
	const struct rpc_call *call = context->request.call;
	uint32_t low = UINT32_MAX, high = 0;

	for (size_t i = 0; i < dispatch->n_programs; i++) {
		const struct rpc_program *program = &dispatch->programs[i];

		if (program->program != call->program)
			continue;
		if (program->version == call->version)
			return accepted(context, PROC_UNAVAIL);
		if (low > program->version)
			low = program->version;
		if (high < program->version)
			high = program->version;
	}
	if (low > high)
		return accepted(context, PROG_UNAVAIL);
	return put_reply(context,
			 (struct rpc_reply){
				 .stat = MSG_ACCEPTED,
				 .status = PROG_MISMATCH,
				 .verf = rpc_message_opaque(&context->verf),
				 .low = low,
				 .high = high,
			 });
}

/* ---- serving ---- */

/* Twice the room, or as much as was prepaid: it may have been for want of
 * that. Returns false where there is no more. */
static bool has_grown(struct context *context, size_t most)
{
	struct rpc_buffer *reply = context->reply;
	size_t larger = reply->size * 2;

	if (reply->size >= reply->limit)
		return false;
	if (larger > reply->limit)
		larger = reply->limit;
	return rpc_buffer_reserve(reply, larger) == 0 ||
	       (most > reply->size && most <= reply->limit &&
		rpc_buffer_reserve(reply, most) == 0);
}

/* Returns the length of the reply. */
static ssize_t encode_result(struct context *context, void *result)
{
	const struct rpc_procedure *procedure = context->request.procedure;
	size_t header = (size_t)accepted(context, SUCCESS);
	size_t at = context->offset + header;
	ssize_t n;
	XDR xdrs;

	for (;;) {
		xdrmem_create(&xdrs, (char *)context->reply->bytes + at,
			      (u_int)(context->reply->size - at), XDR_ENCODE);
		if (!procedure->xdr_result ||
		    procedure->xdr_result(&xdrs, result))
			break;
		if (!has_grown(context, at + procedure->max_result_bytes))
			return accepted(context, SYSTEM_ERR);
	}
	n = (ssize_t)xdr_getpos(&xdrs);
	if (context->flavor->wrap)
		n = context->flavor->wrap(context->flavor->state, context->who,
					  context->reply, at, (size_t)n);
	return n < 0 ? accepted(context, SYSTEM_ERR) : (ssize_t)header + n;
}

static bool decode_args(struct context *context, void *args)
{
	const xdrproc_t xdr_args = context->request.procedure->xdr_args;
	const struct rpc_call *call = context->request.call;
	const uint8_t *bytes = call->args;
	size_t n = call->args_bytes;
	XDR xdrs;

	if (context->flavor->unwrap &&
	    context->flavor->unwrap(context->flavor->state, context->who,
				    &bytes, &n, &context->scratch->plain))
		return false;
	/* It is only read. */
	xdrmem_create(&xdrs, (char *)(uintptr_t)bytes, (u_int)n, XDR_DECODE);
	return !xdr_args || xdr_args(&xdrs, args);
}

static void release(xdrproc_t xdr, void *value)
{
	if (xdr)
		xdr_free(xdr, value);
}

static ssize_t serve(struct context *context)
{
	const struct rpc_procedure *procedure = context->request.procedure;
	size_t args_room = (procedure->args_bytes + ALIGNMENT - 1) &
			   ~(size_t)(ALIGNMENT - 1);
	size_t room = args_room + procedure->result_bytes + ALIGNMENT;
	void *args, *result;
	ssize_t n;
	int rc = 0;

	if (rpc_buffer_reserve(&context->scratch->values, room))
		return accepted(context, SYSTEM_ERR);
	args = context->scratch->values.bytes;
	result = context->scratch->values.bytes + args_room;
	memset(args, 0, room);
	if (!decode_args(context, args)) {
		/* What was decoded before the error is freed as well. */
		release(procedure->xdr_args, args);
		return accepted(context, GARBAGE_ARGS);
	}
	if (procedure->serve)
		rc = procedure->serve(&context->request, args, result);
	n = rc ? accepted(context, SYSTEM_ERR) : encode_result(context, result);
	release(procedure->xdr_result, result);
	release(procedure->xdr_args, args);
	return n;
}

/* ---- the order ---- */

static const struct rpc_auth_flavor *find_flavor(
	const struct rpc_dispatch *dispatch, uint32_t number)
{
	static const struct rpc_auth_flavor *const plain[] = {
		&rpc_auth_none,
		&rpc_auth_sys,
	};
	const struct rpc_auth_flavor *const *flavors = dispatch->flavors;
	size_t n = dispatch->n_flavors;

	if (!flavors) {
		flavors = plain;
		n = sizeof(plain) / sizeof(plain[0]);
	}
	for (size_t i = 0; i < n; i++)
		if (flavors[i]->number == number)
			return flavors[i];
	return NULL;
}

const struct rpc_procedure *rpc_dispatch_find(
	const struct rpc_dispatch *dispatch, const struct rpc_call *call)
{
	for (size_t i = 0; i < dispatch->n_programs; i++) {
		const struct rpc_program *program = &dispatch->programs[i];

		if (program->program != call->program ||
		    program->version != call->version)
			continue;
		for (size_t j = 0; j < program->n_procedures; j++)
			if (program->procedures[j].number == call->procedure)
				return &program->procedures[j];
	}
	return NULL;
}

/* Returns the length of the reply, or -EAGAIN: the call is for the program. */
static ssize_t answer_by_flavor(struct context *context)
{
	ssize_t header = accepted(context, SUCCESS);
	ssize_t n = context->flavor->answer(
		context->flavor->state, context->request.call, context->who,
		context->reply, context->offset + (size_t)header);

	if (n == -EAGAIN)
		return n;
	return n < 0 ? accepted(context, SYSTEM_ERR) : header + n;
}

static ssize_t answer_procedure(struct context *context)
{
	const struct rpc_dispatch *dispatch = context->dispatch;
	enum auth_stat why;

	context->request.procedure =
		rpc_dispatch_find(dispatch, context->request.call);
	if (!context->request.procedure)
		return unavailable(context);
	if (dispatch->authorise) {
		why = dispatch->authorise(&context->request);
		if (why != AUTH_OK)
			return denied(context, why);
	}
	return serve(context);
}

static ssize_t answer_verified(struct context *context)
{
	ssize_t n = -EAGAIN;

	if (context->flavor->answer)
		n = answer_by_flavor(context);
	return n == -EAGAIN ? answer_procedure(context) : n;
}

static ssize_t answer(struct context *context)
{
	const struct rpc_call *call = context->request.call;
	enum auth_stat why;
	ssize_t n;

	context->flavor = find_flavor(context->dispatch, call->cred.flavor);
	if (!context->flavor)
		return denied(context, AUTH_REJECTEDCRED);
	context->who->flavor = call->cred.flavor;
	why = context->flavor->verify(context->flavor->state, call,
				      context->request.peer, context->who,
				      &context->verf);
	if (why == RPC_AUTH_DROP)
		n = 0;
	else
		n = why == AUTH_OK ? answer_verified(context)
				   : denied(context, why);
	if (context->flavor->release)
		context->flavor->release(context->flavor->state, context->who);
	if (why != AUTH_OK)
		memset(context->who, 0, sizeof(*context->who));
	rpc_buffer_relax(&context->scratch->plain, 0);
	return n;
}

ssize_t rpc_dispatch_answer(const struct rpc_dispatch *dispatch,
			    const struct rpc_peer *peer,
			    const struct rpc_call *call,
			    struct rpc_scratch *scratch,
			    struct rpc_buffer *reply, size_t offset)
{
	struct context context = {
		.dispatch = dispatch,
		.request = {.call = call, .peer = peer, .arg = dispatch->arg},
		.who = &scratch->who,
		.scratch = scratch,
		.reply = reply,
		.offset = offset,
	};
	int rc = rpc_buffer_reserve(reply, offset + RPC_MESSAGE_REPLY_MAX);

	memset(&scratch->who, 0, sizeof(scratch->who));
	if (rc)
		return rc;
	context.request.who = &scratch->who;
	if (call->rpc_version != RPC_MESSAGE_VERSION)
		return other_rpc_version(&context);
	return answer(&context);
}

/* ---- what the tables say ---- */

bool rpc_dispatch_is_quick(const struct rpc_dispatch *dispatch,
			   const struct rpc_call *call)
{
	const struct rpc_procedure *procedure;
	const struct rpc_auth_flavor *flavor;

	if (call->rpc_version != RPC_MESSAGE_VERSION)
		return true;
	flavor = find_flavor(dispatch, call->cred.flavor);
	if (!flavor)
		return true;
	if (flavor->may_block)
		return false;
	procedure = rpc_dispatch_find(dispatch, call);
	return !procedure || !procedure->serve || procedure->flags & RPC_QUICK;
}

static size_t max_seal(const struct rpc_dispatch *dispatch)
{
	size_t most = 0;

	for (size_t i = 0; dispatch->flavors && i < dispatch->n_flavors; i++)
		if (most < dispatch->flavors[i]->seal_bytes)
			most = dispatch->flavors[i]->seal_bytes;
	return most;
}

/* The most of all procedures, or SIZE_MAX. */
static size_t max_of(const struct rpc_dispatch *dispatch,
		     size_t (*bytes)(const struct rpc_procedure *procedure))
{
	size_t most = 0, one;

	for (size_t i = 0; i < dispatch->n_programs; i++)
		for (size_t j = 0; j < dispatch->programs[i].n_procedures;
		     j++) {
			one = bytes(&dispatch->programs[i].procedures[j]);
			if (most < one)
				most = one;
		}
	return most;
}

static size_t args_of(const struct rpc_procedure *procedure)
{
	if (!procedure->xdr_args)
		return 0;
	return procedure->max_args_bytes ? procedure->max_args_bytes : SIZE_MAX;
}

static size_t result_of(const struct rpc_procedure *procedure)
{
	if (!procedure->xdr_result)
		return 0;
	return procedure->max_result_bytes ? procedure->max_result_bytes
					   : SIZE_MAX;
}

size_t rpc_dispatch_max_call(const struct rpc_dispatch *dispatch)
{
	size_t args = max_of(dispatch, args_of);

	return args == SIZE_MAX
		       ? 0
		       : RPC_MESSAGE_CALL_MAX + max_seal(dispatch) + args;
}

size_t rpc_dispatch_max_reply(const struct rpc_dispatch *dispatch,
			      const struct rpc_call *call)
{
	const struct rpc_procedure *procedure;
	size_t result;

	if (call) {
		procedure = rpc_dispatch_find(dispatch, call);
		result = procedure ? result_of(procedure) : 0;
	} else {
		result = max_of(dispatch, result_of);
	}
	return result == SIZE_MAX
		       ? 0
		       : RPC_MESSAGE_REPLY_MAX + max_seal(dispatch) + result;
}
