/* rpc_fault.c - one table: kind, what is known of the call's outcome, exit
 * status, what libtirpc calls it, and the sentence. */
#include "lib/rpc/rpc_fault.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kind {
	enum rpc_outcome outcome; /* if the call was sent; else NOT_DONE */
	int status;               /* if the outcome is known */
	enum clnt_stat stat;
	const char *text;
};

#define DONE RPC_OUTCOME_DONE
#define NOT_DONE RPC_OUTCOME_NOT_DONE
#define REFUSED RPC_OUTCOME_REFUSED
#define UNKNOWN RPC_OUTCOME_UNKNOWN

static const struct kind kinds[] = {
	[RPC_FAULT_NONE] = {DONE, 0, RPC_SUCCESS, "Success"},
	[RPC_FAULT_TIMED_OUT] = {UNKNOWN, 3, RPC_TIMEDOUT, "Timed out"},
	[RPC_FAULT_LOST] = {UNKNOWN, 3, RPC_CANTRECV, "Connection lost"},
	[RPC_FAULT_HOST] = {NOT_DONE, 4, RPC_UNKNOWNHOST, "Unknown host"},
	[RPC_FAULT_UNREACHABLE] = {UNKNOWN, 4, RPC_CANTSEND,
				   "Server unreachable"},
	[RPC_FAULT_NO_RPCBIND] = {NOT_DONE, 5, RPC_RPCBFAILURE,
				  "rpcbind does not answer"},
	[RPC_FAULT_NOT_REGISTERED] = {NOT_DONE, 5, RPC_PROGNOTREGISTERED,
				      "Program not registered"},
	[RPC_FAULT_RPC_VERSION] = {REFUSED, 6, RPC_VERSMISMATCH,
				   "The server speaks another version of RPC"},
	[RPC_FAULT_VERSION] = {REFUSED, 6, RPC_PROGVERSMISMATCH,
			       "Program/version mismatch"},
	[RPC_FAULT_PROGRAM] = {REFUSED, 6, RPC_PROGUNAVAIL,
			       "Program unavailable"},
	[RPC_FAULT_PROCEDURE] = {REFUSED, 6, RPC_PROCUNAVAIL,
				 "Procedure unavailable"},
	[RPC_FAULT_AUTH] = {REFUSED, 7, RPC_AUTHERROR, "Authentication error"},
	[RPC_FAULT_VERIFIER] = {UNKNOWN, 7, RPC_AUTHERROR,
				"The reply is not proved to be the server's"},
	[RPC_FAULT_GARBAGE_ARGS] = {REFUSED, 8, RPC_CANTDECODEARGS,
				    "Server can't decode arguments"},
	[RPC_FAULT_SYSTEM] = {UNKNOWN, 8, RPC_SYSTEMERROR,
			      "The server failed in itself"},
	[RPC_FAULT_ARGS] = {NOT_DONE, 8, RPC_CANTENCODEARGS,
			    "Can't encode arguments"},
	[RPC_FAULT_BAD_REPLY] = {UNKNOWN, 8, RPC_CANTDECODERES,
				 "Can't decode the reply"},
	[RPC_FAULT_REPLY_STAT] = {UNKNOWN, 8, RPC_CANTDECODERES,
				  "The reply has an unknown reply_stat"},
	[RPC_FAULT_ACCEPT_STAT] = {UNKNOWN, 8, RPC_CANTDECODERES,
				   "The reply has an unknown accept_stat"},
	[RPC_FAULT_REJECT_STAT] = {REFUSED, 8, RPC_CANTDECODERES,
				   "The reply has an unknown reject_stat"},
	[RPC_FAULT_INTERRUPTED] = {UNKNOWN, 1, RPC_INTR, "Interrupted"},
	[RPC_FAULT_LOCAL] = {UNKNOWN, 1, RPC_FAILED, "Failed on this side"},
};

static const struct kind *kind_of(const struct rpc_fault *fault)
{
	return &kinds[fault->kind < sizeof(kinds) / sizeof(kinds[0])
			      ? fault->kind
			      : RPC_FAULT_LOCAL];
}

/* ---- the columns ---- */

enum rpc_outcome rpc_fault_outcome(const struct rpc_fault *fault)
{
	enum rpc_outcome outcome = kind_of(fault)->outcome;

	return outcome == UNKNOWN && !fault->was_sent ? NOT_DONE : outcome;
}

bool rpc_fault_is_unknown(const struct rpc_fault *fault)
{
	return rpc_fault_outcome(fault) == UNKNOWN;
}

int rpc_fault_status(const struct rpc_fault *fault)
{
	return rpc_fault_is_unknown(fault) ? RPC_FAULT_STATUS_UNKNOWN
					   : kind_of(fault)->status;
}

enum clnt_stat rpc_fault_clnt_stat(const struct rpc_fault *fault)
{
	return kind_of(fault)->stat;
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
		return RPC_FAULT_ACCEPT_STAT;
	}
}

static enum rpc_fault_kind kind_of_denied(uint32_t status)
{
	switch (status) {
	case RPC_MISMATCH:
		return RPC_FAULT_RPC_VERSION;
	case AUTH_ERROR:
		return RPC_FAULT_AUTH;
	default:
		return RPC_FAULT_REJECT_STAT;
	}
}

struct rpc_fault rpc_fault_of_reply(const struct rpc_reply *reply)
{
	struct rpc_fault fault = {
		.kind = RPC_FAULT_REPLY_STAT,
		.why = (enum auth_stat)reply->why,
		.low = reply->low,
		.high = reply->high,
		.number = reply->status,
		.was_sent = true,
	};

	if (reply->stat == MSG_ACCEPTED)
		fault.kind = kind_of_accepted(reply->status);
	else if (reply->stat == MSG_DENIED)
		fault.kind = kind_of_denied(reply->status);
	else
		fault.number = reply->stat;
	return fault;
}

enum rpc_fault_kind rpc_fault_set(struct rpc_fault *fault,
				  enum rpc_fault_kind kind, int error,
				  bool was_sent)
{
	*fault = (struct rpc_fault){
		.kind = kind, .error = error, .was_sent = was_sent};
	return kind;
}

/* ---- words ---- */

static const char unknown_reason[] = "Unknown reason";

/* Text that gets longer, as far as there is room. */
struct words {
	char *buf;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words,
						      const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(words->buf + words->used, words->size - words->used,
		      format, args);
	va_end(args);
	if (n > 0)
		words->used += (size_t)n;
	if (words->used >= words->size)
		words->used = words->size - 1;
}

static void say_error(struct words *words, int error)
{
	const char *text = strerrordesc_np(error);

	if (error)
		say(words, ": %s", text ? text : "unknown error");
}

static void say_details(struct words *words, const struct rpc_fault *fault)
{
	switch (fault->kind) {
	case RPC_FAULT_RPC_VERSION:
	case RPC_FAULT_VERSION:
		say(words, "; low version = %u, high version = %u", fault->low,
		    fault->high);
		break;
	case RPC_FAULT_AUTH:
		say(words, "; why = %s", rpc_fault_auth_text(fault->why));
		if (rpc_fault_auth_text(fault->why) == unknown_reason)
			say(words, " %u", (unsigned int)fault->why);
		break;
	case RPC_FAULT_REPLY_STAT:
	case RPC_FAULT_ACCEPT_STAT:
	case RPC_FAULT_REJECT_STAT:
		say(words, " = %u", fault->number);
		break;
	case RPC_FAULT_HOST:
		say(words, ": %s", gai_strerror(fault->error));
		break;
	default:
		say_error(words, fault->error);
	}
}

const char *rpc_fault_text(const struct rpc_fault *fault, char *buf,
			   size_t size)
{
	struct words words = {buf, size, 0};

	if (size == 0)
		return buf;
	say(&words, "RPC: ");
	if (fault->kind == RPC_FAULT_NO_RPCBIND &&
	    fault->error == EPROTONOSUPPORT) {
		say(&words, "rpcbind offers neither TCP nor UDP");
	} else {
		say(&words, "%s", kind_of(fault)->text);
		say_details(&words, fault);
	}
	if (rpc_fault_is_unknown(fault))
		say(&words, "; whether it was done is unknown");
	return buf;
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
	return unknown_reason;
}
