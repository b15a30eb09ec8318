/* rpc_reply.c - see rpc_call.c, which is the other direction. */
#include "lib/rpc/rpc_reply.h"

#include <errno.h>
#include <string.h>

enum { HEADER = 12 }; /* xid, direction, accepted or denied */

/* Two numbers after the status, if they are there. */
static int take_range(const uint8_t *at, size_t left, struct rpc_fault *fault)
{
	if (left < 8)
		return -EBADMSG;
	fault->low = rpc_call_get32(at);
	fault->high = rpc_call_get32(at + 4);
	return 0;
}

static int parse_denied(const uint8_t *at, size_t left, struct rpc_fault *fault)
{
	if (left < 8)
		return -EBADMSG;
	switch (rpc_call_get32(at)) {
	case RPC_MISMATCH:
		/* Of RPC itself, which is not the program's. */
		fault->kind = RPC_FAULT_BAD_REPLY;
		fault->error = EPROTONOSUPPORT;
		return 0;
	case AUTH_ERROR:
		fault->kind = RPC_FAULT_AUTH;
		fault->why = (enum auth_stat)rpc_call_get32(at + 4);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int parse_status(const uint8_t *at, size_t left, struct rpc_reply *reply)
{
	struct rpc_fault *fault = &reply->fault;

	if (left < 4)
		return -EBADMSG;
	switch (rpc_call_get32(at)) {
	case SUCCESS:
		reply->results = at + 4;
		reply->results_bytes = left - 4;
		return 0;
	case PROG_UNAVAIL:
		fault->kind = RPC_FAULT_PROGRAM;
		return 0;
	case PROG_MISMATCH:
		fault->kind = RPC_FAULT_VERSION;
		return take_range(at + 4, left - 4, fault);
	case PROC_UNAVAIL:
		fault->kind = RPC_FAULT_PROCEDURE;
		return 0;
	case GARBAGE_ARGS:
		fault->kind = RPC_FAULT_GARBAGE_ARGS;
		return 0;
	case SYSTEM_ERR:
		fault->kind = RPC_FAULT_SYSTEM;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int parse_accepted(const uint8_t *at, size_t left,
			  struct rpc_reply *reply)
{
	size_t padded;

	if (left < 8)
		return -EBADMSG;
	reply->verf.flavor = rpc_call_get32(at);
	reply->verf.bytes = rpc_call_get32(at + 4);
	reply->verf.body = at + 8;
	if (reply->verf.bytes > RPC_CALL_AUTH_MAX)
		return -EBADMSG;
	padded = (reply->verf.bytes + 3) & ~(size_t)3;
	if (left - 8 < padded)
		return -EBADMSG;
	return parse_status(at + 8 + padded, left - 8 - padded, reply);
}

int rpc_reply_parse(const uint8_t *message, size_t bytes,
		    struct rpc_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	if (bytes < HEADER || rpc_call_get32(message + 4) != REPLY)
		return -EBADMSG;
	reply->xid = rpc_call_get32(message);
	reply->fault.was_sent = true;
	switch (rpc_call_get32(message + 8)) {
	case MSG_ACCEPTED:
		return parse_accepted(message + HEADER, bytes - HEADER, reply);
	case MSG_DENIED:
		return parse_denied(message + HEADER, bytes - HEADER,
				    &reply->fault);
	default:
		return -EBADMSG;
	}
}
