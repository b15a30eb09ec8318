/* client.h - what the verbs of kv_client have in common: the command line, the
 * servers, and what is said of what became of a request.
 *
 * For kv_client alone: what fails is told in one line. One thread. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_CLIENT_H
#define UNIXIPC_P18_RPC_KV_CMD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/kvclient.h"

/* Exit statuses besides those of lib/cmd/die.h and, of what a server refuses,
 * lib/rpc/rpc_fault.h. */
enum client_exit {
	CLIENT_UNKNOWN = 3, /* whether it was done */
	CLIENT_NOT_DONE =
		4, /* no server, no quorum, nothing as fresh as that */
	CLIENT_REFUSED = 8,
};

enum client_load { CLIENT_PUT, CLIENT_GET, CLIENT_STALE, CLIENT_LOCAL };

struct client {
	/* As it was given. */
	const char *verb;
	char **words; /* the operands behind it */
	int n_words;
	struct parse_endpoint servers[KVCLIENT_SERVERS_MAX];
	unsigned int n_servers;
	int64_t timeout_ns;
	bool is_json, is_raw, is_local;
	kv_freshness freshness;
	const char *session; /* a file */
	const char *token;
	const char *prefix, *from, *to; /* list */
	uint32_t limit;
	bool keys_only;
	const char *expected; /* cas */
	int64_t revision;     /* -1: not given */
	unsigned int threads; /* bench */
	int64_t duration_ns;
	uint32_t value_bytes;

	struct kvclient *kv;
};

/* Open client->kv; --session's file has been read then. */
void client_open(struct client *client);

/* Note in --session's file what was seen, and close. Returns whether it is noted;
 * if not, that is said. */
bool client_close(struct client *client);

/* A key of an operand or option, which becomes part of a request as it is. */
kv_key client_key(const char *what, const char *text);

/* A value of an operand or option, as it is. */
kv_value client_text(const char *what, const char *text);

/* The same, but of standard input, up to its end, where the text is "-". Once. */
kv_value client_value(const char *text);

/* What is common to all that --json prints. The caller adds to it. */
json_t *client_json(const struct client *client,
		    const struct kvclient_report *report);

/* "name", or "name_base64" where it is no UTF-8. */
void client_json_bytes(json_t *object, const char *name, const void *data,
		       size_t len);

/* The exit status of what became of a request. What is not success is said, on
 * standard error: of the key, unless that is NULL. */
int client_end(const struct client *client,
	       const struct kvclient_report *report, const kv_key *key);

#endif
