#include "p18-rpc-kv/cmd/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cmd/session.h"
#include "p18-rpc-kv/cmd/text.h"

void client_open(struct client *client)
{
	const struct kvclient_options options = {
		.servers = client->servers,
		.n_servers = client->n_servers,
		.timeout_ns = client->timeout_ns,
	};
	uint64_t revision = 0;
	int error = kvclient_open(&client->kv, &options);

	if (error)
		die_errno(error, "cannot begin");
	if (!client->session)
		return;
	error = session_read(client->session, &revision);
	if (error)
		die_errno(error, "cannot read the session in '%s'",
			  client->session);
	kvclient_see(client->kv, revision);
}

bool client_close(struct client *client)
{
	int error = 0;

	if (client->session && kvclient_revision(client->kv) > 0)
		error = session_note(client->session,
				     kvclient_revision(client->kv),
				     tick_after(client->timeout_ns));
	if (error)
		die_warn_errno(error, "cannot note the session in '%s'",
			       client->session);
	kvclient_close(client->kv);
	client->kv = NULL;
	return !error;
}

/* ---- keys and values ---- */

kv_key client_key(const char *what, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > KV_KEY_MAX)
		die_usage("%s has %zu bytes: 1 to %d are accepted", what, len,
			  KV_KEY_MAX);
	/* Only read. */
	return (kv_key){(u_int)len, (char *)(uintptr_t)text};
}

static kv_value read_value(void)
{
	static char value[KV_VALUE_MAX + 1];
	ssize_t n = fdio_read_full(STDIN_FILENO, value, sizeof(value));

	if (n < 0)
		die_errno((int)n, "cannot read the value from standard input");
	if (n > KV_VALUE_MAX)
		die_usage("the value on standard input has more than %d bytes",
			  KV_VALUE_MAX);
	return (kv_value){(u_int)n, value};
}

kv_value client_text(const char *what, const char *text)
{
	size_t len = strlen(text);

	if (len > KV_VALUE_MAX)
		die_usage("%s has %zu bytes: up to %d are accepted", what, len,
			  KV_VALUE_MAX);
	return (kv_value){(u_int)len, (char *)(uintptr_t)text}; /* only read */
}

kv_value client_value(const char *text)
{
	return strcmp(text, "-") == 0 ? read_value()
				      : client_text("the value", text);
}

/* ---- what became of it ---- */

static const char *status_word(const struct kvclient_report *report)
{
	static const char *const words[] = {
		[KV_DONE] = "done",
		[KV_NOT_FOUND] = "not found",
		[KV_CONFLICT] = "conflict",
		[KV_SEQUENCE_PAST] = "sequence past",
		[KV_UNKNOWN] = "unknown",
		[KV_NO_QUORUM] = "no quorum",
		[KV_NOT_FRESH] = "not fresh",
		[KV_FORGOTTEN] = "forgotten",
		[KV_TOO_LARGE] = "too large",
		[KV_INVALID] = "invalid",
		[KV_UNSUPPORTED] = "unsupported",
	};

	if (report->fault.kind || report->is_stranger)
		return "no answer";
	return (size_t)report->status < sizeof(words) / sizeof(*words)
		       ? words[report->status]
		       : "?";
}

static int exit_status(const struct kvclient_report *report)
{
	if (report->outcome == KVCLIENT_UNKNOWN)
		return CLIENT_UNKNOWN;
	if (report->is_stranger)
		return DIE_FAILURE;
	if (report->fault.kind == RPC_FAULT_TIMED_OUT ||
	    report->fault.kind == RPC_FAULT_LOST)
		return CLIENT_NOT_DONE;
	if (report->fault.kind)
		return rpc_fault_status(&report->fault);
	switch (report->status) {
	case KV_DONE:
		return EXIT_SUCCESS;
	case KV_NOT_FOUND:
	case KV_CONFLICT:
		return DIE_FAILURE;
	case KV_NO_QUORUM:
	case KV_NOT_FRESH:
	case KV_UNKNOWN:
		return CLIENT_NOT_DONE;
	default:
		return CLIENT_REFUSED;
	}
}

void client_json_bytes(json_t *object, const char *name, const void *data,
		       size_t len)
{
	json_t *text = json_stringn(len ? data : "", len);
	char coded_name[32], *coded;

	if (text) {
		json_object_set_new(object, name, text);
		return;
	}
	coded = text_base64(data, len);
	if (!coded)
		die("no memory");
	snprintf(coded_name, sizeof(coded_name), "%s_base64", name);
	json_object_set_new(object, coded_name, json_string(coded));
	free(coded);
}

json_t *client_json(const struct client *client,
		    const struct kvclient_report *report)
{
	static const char *const outcomes[] = {
		[KVCLIENT_DONE] = "done",
		[KVCLIENT_NOT_DONE] = "not done",
		[KVCLIENT_UNKNOWN] = "unknown",
	};
	char text[512], token[TEXT_TOKEN_SIZE];
	json_t *json = json_pack(
		"{s:s, s:s, s:s, s:s, s:i}", "schema", "unixipc-kv/1", "verb",
		client->verb, "outcome", outcomes[report->outcome], "status",
		status_word(report), "attempts", (int)report->attempts);

	if (!json)
		die("no memory");
	if (report->id.sequence > 0) {
		text_of_token(&report->id, token);
		json_object_set_new(json, "request_id", json_string(token));
	}
	if (report->outcome != KVCLIENT_DONE) {
		kvclient_text(client->kv, report, text, sizeof(text));
		client_json_bytes(json, "error", text, strlen(text));
	}
	return json;
}

/* Whoever does not know whether it was done can ask, by the same name. */
static void say_how_to_ask(const struct kvclient_report *report)
{
	char token[TEXT_TOKEN_SIZE];

	if (report->outcome != KVCLIENT_UNKNOWN || report->id.sequence == 0 ||
	    (!report->fault.kind && report->status == KV_FORGOTTEN))
		return;
	text_of_token(&report->id, token);
	die_warn("the same again with --request-id=%s does it once, and says "
		 "so",
		 token);
}

/* What stood in the way is known by the verb, where the server does not say. */
static const char *conflict(const struct client *client)
{
	if (strcmp(client->verb, "create") == 0)
		return "there is such a key";
	if (strcmp(client->verb, "incr") == 0)
		return "it is no number, or there is no room for the sum";
	return client->expected ? "it is another value"
				: "it is of another revision";
}

int client_end(const struct client *client,
	       const struct kvclient_report *report, const kv_key *key)
{
	int status = exit_status(report);
	char text[512];

	if (status == EXIT_SUCCESS)
		return status;
	if (report->outcome == KVCLIENT_DONE && report->status == KV_CONFLICT &&
	    !report->text[0])
		snprintf(text, sizeof(text), "%s", conflict(client));
	else
		kvclient_text(client->kv, report, text, sizeof(text));
	if (key)
		die_warn("'%.*s': %s", (int)key->kv_key_len, key->kv_key_val,
			 text);
	else
		die_warn("%s", text);
	say_how_to_ask(report);
	return status;
}
