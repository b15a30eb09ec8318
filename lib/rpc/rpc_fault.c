/* rpc_fault.c - one table: kind, exit status, what libtirpc calls it, and
 * the sentence. */
#include "lib/rpc/rpc_fault.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct row {
	int status;
	enum clnt_stat stat;
	const char *text;
};

static const struct row rows[] = {
	[RPC_FAULT_NONE] = {0, RPC_SUCCESS, "RPC: Success"},
	[RPC_FAULT_TIMED_OUT] = {3, RPC_TIMEDOUT,
				 "RPC: Timed out; whether the call was done is "
				 "not known"},
	[RPC_FAULT_LOST] = {3, RPC_CANTRECV,
			    "RPC: Connection lost; whether the call was done "
			    "is not known"},
	[RPC_FAULT_HOST] = {4, RPC_UNKNOWNHOST, "RPC: Unknown host"},
	[RPC_FAULT_UNREACHABLE] = {4, RPC_CANTSEND, "RPC: Server unreachable"},
	[RPC_FAULT_NO_RPCBIND] = {5, RPC_RPCBFAILURE,
				  "RPC: rpcbind does not answer"},
	[RPC_FAULT_NOT_REGISTERED] = {5, RPC_PROGNOTREGISTERED,
				      "RPC: Program not registered"},
	[RPC_FAULT_VERSION] = {6, RPC_PROGVERSMISMATCH,
			       "RPC: Program/version mismatch"},
	[RPC_FAULT_PROGRAM] = {6, RPC_PROGUNAVAIL, "RPC: Program unavailable"},
	[RPC_FAULT_PROCEDURE] = {6, RPC_PROCUNAVAIL,
				 "RPC: Procedure unavailable"},
	[RPC_FAULT_AUTH] = {7, RPC_AUTHERROR, "RPC: Authentication error"},
	[RPC_FAULT_GARBAGE_ARGS] = {8, RPC_CANTDECODEARGS,
				    "RPC: Server can't decode arguments"},
	[RPC_FAULT_SYSTEM] = {8, RPC_SYSTEMERROR,
			      "RPC: The server failed in itself"},
	[RPC_FAULT_ARGS] = {8, RPC_CANTENCODEARGS,
			    "RPC: Can't encode arguments"},
	[RPC_FAULT_BAD_REPLY] = {8, RPC_CANTDECODERES,
				 "RPC: Can't decode the reply"},
	[RPC_FAULT_INTERRUPTED] = {1, RPC_INTR, "RPC: Interrupted"},
	[RPC_FAULT_LOCAL] = {1, RPC_FAILED, "RPC: Failed on this side"},
};

static const struct row *row_of(const struct rpc_fault *fault)
{
	return &rows[fault->kind < sizeof(rows) / sizeof(rows[0])
			     ? fault->kind
			     : RPC_FAULT_LOCAL];
}

/* ---- replies ---- */

static enum rpc_fault_kind kind_of_accepted(uint32_t status)
{
	switch (status) {
	case SUCCESS:
		return RPC_FAULT_NONE;
	case PROG_UNAVAIL:
		return RPC_FAULT_PROGRAM;
	case PROG_MISMATCH:
		return RPC_FAULT_VERSION;
	case PROC_UNAVAIL:
		return RPC_FAULT_PROCEDURE;
	case GARBAGE_ARGS:
		return RPC_FAULT_GARBAGE_ARGS;
	case SYSTEM_ERR:
		return RPC_FAULT_SYSTEM;
	default:
		return RPC_FAULT_BAD_REPLY;
	}
}

struct rpc_fault rpc_fault_of_reply(const struct rpc_reply *reply)
{
	struct rpc_fault fault = {
		.kind = RPC_FAULT_BAD_REPLY,
		.why = (enum auth_stat)reply->why,
		.low = reply->low,
		.high = reply->high,
		.was_sent = true,
	};

	if (reply->stat == MSG_ACCEPTED)
		fault.kind = kind_of_accepted(reply->status);
	else if (reply->stat == MSG_DENIED && reply->status == AUTH_ERROR)
		fault.kind = RPC_FAULT_AUTH;
	if (fault.kind == RPC_FAULT_BAD_REPLY)
		fault.error = reply->status == RPC_MISMATCH ? EPROTONOSUPPORT
							    : EBADMSG;
	return fault;
}

/* ---- what is said of a fault ---- */

const char *rpc_fault_text(const struct rpc_fault *fault, char *buf,
			   size_t size)
{
	const char *text = row_of(fault)->text;

	switch (fault->kind) {
	case RPC_FAULT_VERSION:
		snprintf(buf, size, "%s; low version = %u, high version = %u",
			 text, fault->low, fault->high);
		return buf;
	case RPC_FAULT_AUTH:
		snprintf(buf, size, "%s; why = %s", text,
			 rpc_fault_auth_text(fault->why));
		return buf;
	case RPC_FAULT_HOST:
		snprintf(buf, size, "%s: %s", text, gai_strerror(fault->error));
		return buf;
	case RPC_FAULT_NO_RPCBIND:
		if (fault->error != EPROTONOSUPPORT)
			break;
		snprintf(buf, size, "RPC: rpcbind offers neither TCP nor UDP");
		return buf;
	default:
		break;
	}
	if (fault->error)
		snprintf(buf, size, "%s: %s", text,
			 strerrordesc_np(fault->error)
				 ? strerrordesc_np(fault->error)
				 : "unknown error");
	else
		snprintf(buf, size, "%s", text);
	return buf;
}

int rpc_fault_status(const struct rpc_fault *fault)
{
	return row_of(fault)->status;
}

enum clnt_stat rpc_fault_clnt_stat(const struct rpc_fault *fault)
{
	return row_of(fault)->stat;
}

bool rpc_fault_is_unknown(const struct rpc_fault *fault)
{
	switch (fault->kind) {
	case RPC_FAULT_TIMED_OUT:
	case RPC_FAULT_LOST:
	case RPC_FAULT_BAD_REPLY:
	case RPC_FAULT_SYSTEM:
		return true;
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_INTERRUPTED:
	case RPC_FAULT_LOCAL:
		return fault->was_sent;
	default:
		return false;
	}
}

const char *rpc_fault_auth_text(enum auth_stat why)
{
	static const char *const texts[] = {
		[AUTH_OK] = "Authentication OK",
		[AUTH_BADCRED] = "Invalid client credential",
		[AUTH_REJECTEDCRED] = "Server rejected credential",
		[AUTH_BADVERF] = "Invalid client verifier",
		[AUTH_REJECTEDVERF] = "Server rejected verifier",
		[AUTH_TOOWEAK] = "Client credential too weak",
		[AUTH_INVALIDRESP] = "Invalid server verifier",
		[AUTH_FAILED] = "Failed (unspecified error)",
		[RPCSEC_GSS_CREDPROBLEM] = "No GSS credentials for the user",
		[RPCSEC_GSS_CTXPROBLEM] = "Problem with the GSS context",
	};

	if ((unsigned int)why < sizeof(texts) / sizeof(texts[0]) && texts[why])
		return texts[why];
	return "Unknown reason";
}
