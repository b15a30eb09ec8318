/* rpc_trace.c - walks over the words in the order of the RFC, and writes each
 * down. What was not understood ends the walk, and the rest is shown as it
 * is. */
#include "lib/rpc/rpc_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_fault.h"
#include "lib/rpc/rpc_message.h"

struct walk {
	const uint8_t *message;
	size_t at, n;
	FILE *out;
};

/* ---- one line ---- */

/* The next four bytes, or as many as there are; begins the line. */
static void put_bytes(struct walk *walk)
{
	size_t end = walk->at + RPC_MESSAGE_WORD;

	fprintf(walk->out, "%6zu ", walk->at);
	for (; walk->at < end; walk->at++)
		if (walk->at < walk->n)
			fprintf(walk->out, " %02x", walk->message[walk->at]);
		else
			fputs("   ", walk->out);
	if (walk->at > walk->n)
		walk->at = walk->n;
}

/* Bytes that are no number, with their printable ones. */
static void put_body(struct walk *walk, size_t n, const char *name)
{
	size_t end = n < walk->n - walk->at ? walk->at + n : walk->n;

	while (walk->at < end) {
		size_t from = walk->at;

		put_bytes(walk);
		fprintf(walk->out, "  %s ", name);
		for (; from < walk->at; from++)
			fputc(walk->message[from] >= ' ' &&
					      walk->message[from] < 0x7f
				      ? walk->message[from]
				      : '.',
			      walk->out);
		fputc('\n', walk->out);
	}
}

/* A number that means what meaning() says (NULL: nothing else). False: it is
 * not there, and *value is not set. */
static bool put_number(struct walk *walk, const char *name,
		       const char *(*meaning)(uint32_t), uint32_t *value)
{
	if (walk->n - walk->at < RPC_MESSAGE_WORD)
		return false;
	*value = rpc_message_get32(walk->message + walk->at);
	put_bytes(walk);
	fprintf(walk->out, "  %s = %u", name, *value);
	if (meaning)
		fprintf(walk->out, " (%s)",
			meaning(*value) ? meaning(*value) : "unknown");
	fputc('\n', walk->out);
	return true;
}

/* ---- meanings ---- */

static const char *mtype(uint32_t value)
{
	return value == CALL ? "CALL" : value == REPLY ? "REPLY" : NULL;
}

static const char *reply_stat(uint32_t value)
{
	return value == MSG_ACCEPTED ? "MSG_ACCEPTED"
	       : value == MSG_DENIED ? "MSG_DENIED"
				     : NULL;
}

static const char *accept_stat(uint32_t value)
{
	static const char *const names[] = {"SUCCESS",       "PROG_UNAVAIL",
					    "PROG_MISMATCH", "PROC_UNAVAIL",
					    "GARBAGE_ARGS",  "SYSTEM_ERR"};

	return value < sizeof(names) / sizeof(names[0]) ? names[value] : NULL;
}

static const char *reject_stat(uint32_t value)
{
	return value == RPC_MISMATCH ? "RPC_MISMATCH"
	       : value == AUTH_ERROR ? "AUTH_ERROR"
				     : NULL;
}

static const char *auth_stat(uint32_t value)
{
	return rpc_fault_auth_text((enum auth_stat)value);
}

/* ---- the parts ---- */

/* stamp, machinename, uid, gid, gids: appendix A. Up to end. */
static void put_auth_sys(struct walk *walk, size_t end)
{
	struct walk body = *walk;
	uint32_t value, name, n_gids;

	body.n = end;
	if (put_number(&body, "cred stamp", NULL, &value) &&
	    put_number(&body, "cred machinename length", NULL, &name)) {
		put_body(&body, ((size_t)name + 3) & ~(size_t)3,
			 "cred machinename");
		if (put_number(&body, "cred uid", NULL, &value) &&
		    put_number(&body, "cred gid", NULL, &value) &&
		    put_number(&body, "cred gids length", NULL, &n_gids))
			while (n_gids-- > 0 &&
			       put_number(&body, "cred gids", NULL, &value))
				;
	}
	walk->at = body.at;
}

static bool put_opaque(struct walk *walk, const char *flavor_name,
		       const char *length_name, const char *body_name)
{
	bool is_cred = body_name[0] == 'c';
	uint32_t flavor, length;
	size_t padded, end;

	if (!put_number(walk, flavor_name, rpc_auth_flavor_name, &flavor) ||
	    !put_number(walk, length_name, NULL, &length) ||
	    length > RPC_MESSAGE_AUTH_MAX)
		return false;
	padded = (length + 3) & ~3u;
	if (padded > walk->n - walk->at)
		return false;
	end = walk->at + padded;
	if (is_cred && flavor == AUTH_SYS)
		put_auth_sys(walk, end);
	put_body(walk, end - walk->at, body_name);
	return true;
}

static void put_call(struct walk *walk)
{
	uint32_t value;

	if (put_number(walk, "rpcvers", NULL, &value) &&
	    value == RPC_MESSAGE_VERSION &&
	    put_number(walk, "prog", NULL, &value) &&
	    put_number(walk, "vers", NULL, &value) &&
	    put_number(walk, "proc", NULL, &value) &&
	    put_opaque(walk, "cred flavor", "cred length", "cred body") &&
	    put_opaque(walk, "verf flavor", "verf length", "verf body"))
		put_body(walk, walk->n - walk->at, "args");
}

static void put_range(struct walk *walk)
{
	uint32_t value;

	if (put_number(walk, "low", NULL, &value))
		put_number(walk, "high", NULL, &value);
}

static void put_accepted(struct walk *walk)
{
	uint32_t status;

	if (!put_opaque(walk, "verf flavor", "verf length", "verf body") ||
	    !put_number(walk, "accept_stat", accept_stat, &status))
		return;
	if (status == SUCCESS)
		put_body(walk, walk->n - walk->at, "results");
	else if (status == PROG_MISMATCH)
		put_range(walk);
}

static void put_denied(struct walk *walk)
{
	uint32_t status;

	if (!put_number(walk, "reject_stat", reject_stat, &status))
		return;
	if (status == RPC_MISMATCH)
		put_range(walk);
	else if (status == AUTH_ERROR)
		put_number(walk, "auth_stat", auth_stat, &status);
}

static void put_reply(struct walk *walk)
{
	uint32_t stat;

	if (!put_number(walk, "reply_stat", reply_stat, &stat))
		return;
	if (stat == MSG_ACCEPTED)
		put_accepted(walk);
	else if (stat == MSG_DENIED)
		put_denied(walk);
}

char *rpc_trace_text(bool is_sent, const uint8_t *message, size_t n)
{
	struct walk walk = {.message = message, .n = n};
	uint32_t value;
	char *text = NULL;
	size_t size;

	walk.out = open_memstream(&text, &size);
	if (!walk.out)
		return NULL;
	fprintf(walk.out, "%s %zu bytes\n", is_sent ? "-->" : "<--", n);
	if (put_number(&walk, "xid", NULL, &value) &&
	    put_number(&walk, "mtype", mtype, &value)) {
		if (value == CALL)
			put_call(&walk);
		else if (value == REPLY)
			put_reply(&walk);
	}
	put_body(&walk, n - walk.at, "?");
	if (fclose(walk.out)) {
		free(text);
		return NULL;
	}
	return text;
}
