/* sysv_client - the command: one message, or one a line from standard input.
 *
 * It handles no signals: whatever kills it, the kernel gives its room back and
 * the server collects its reply. */
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "lib/visible.h"
#include "p05-sysv-mq/cmd/target.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqclient.h"

/* Room for what the server may add to a message. */
enum { ANSWER_MORE = 64 };

struct arguments {
	struct target target;
	const char *message; /* NULL: from standard input */
	int64_t timeout_ns;
	uid_t owner; /* whose the server may be, besides ours and root's */
	bool is_quiet, must_retry;
};

static void find_user(const char *name, void *owner)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		die_usage("--server-user=%s: accepted is the name of a user",
			  name);
	*(uid_t *)owner = user->pw_uid;
}

static void parse(struct arguments *a, int argc, char **argv)
{
	const struct cli_option options[] = {
		TARGET_OPTIONS(&a->target),
		CLI_DURATION("timeout", 't', "DUR", &a->timeout_ns, 0,
			     TICK_NEVER / 2,
			     "How long to wait for each response (default 5s)"),
		CLI_ON("quiet", 'q', &a->is_quiet, "Print responses only"),
		CLI_ON("retry", 'r', &a->must_retry,
		       "Ask the next server when there is none or it ends: it "
		       "may do again what the last one did"),
		CLI_CALL("server-user", 'u', "USER", find_user, &a->owner,
			 "Ask a server of USER too (default: of you or root)"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Send MESSAGE to sysv_server, or one a line from "
		       "standard input, and print the responses.\v"
		       "Example: ./sysv_client HELLO\n"
		       "Exit status: 0 answered, 1 failed, 2 usage, 3 no "
		       "response in time.",
		.operands = "[MESSAGE]",
		.most = 1,
		.options = options,
	};

	cli_parse(&command, argc, argv);
	a->message = argv[1];
	target_resolve(&a->target);
}

static _Noreturn void fail(int error, const struct arguments *arguments,
			   size_t text_bytes, size_t text_max)
{
	unsigned int key = (unsigned int)arguments->target.key;

	switch (error) {
	case -ENOENT:
		die("no server for key 0x%08x", key);
	case -ETIMEDOUT:
		die_status(DIE_TIMEOUT,
			   "no response for key 0x%08x in time (--timeout)",
			   key);
	case -EPERM:
		die("the server of key 0x%08x belongs to another user: "
		    "--server-user=USER asks it",
		    key);
	case -EPIPE:
		die("the server of key 0x%08x ended before it answered "
		    "(--retry asks the next one)",
		    key);
	case -EIDRM:
		die("the queue of key 0x%08x was removed before the server "
		    "answered (--retry asks the next one)",
		    key);
	case -EMSGSIZE:
		die_usage("message of %zu bytes: accepted is up to %zu, by "
			  "kernel.msgmax and half of kernel.msgmnb",
			  text_bytes,
			  text_max > ANSWER_MORE ? text_max - ANSWER_MORE : 0);
	default:
		target_refuse(&arguments->target, error);
	}
}

/* Other people's text, which is to steer no terminal. */
static void print_response(char *text, size_t len)
{
	visible_make(text, len);
	printf("Response: %.*s\n", (int)len, text);
	fflush(stdout);
}

/* One request on one connection, with the guide's lines. */
static ssize_t ask_once(const struct arguments *arguments,
			struct mqclient *client, const char *text,
			size_t text_bytes, char *reply, int64_t deadline)
{
	int rc;

	if (!arguments->is_quiet)
		printf("Sending to server (msgtyp=%d)\n", LETTER_REQUEST);
	fflush(stdout);
	rc = mqclient_send(client, text, text_bytes, text_bytes + ANSWER_MORE,
			   deadline);
	if (rc)
		return rc;
	if (!arguments->is_quiet)
		printf("Waiting for response (msgtyp=%ld)\n",
		       mqclient_type(client));
	fflush(stdout);
	return mqclient_wait(client, reply, text_bytes + ANSWER_MORE, deadline);
}

/* Whether another server may do better, after a pause for it to come up. */
static bool may_retry(const struct arguments *arguments, int error,
		      int64_t deadline)
{
	if (!arguments->must_retry || tick_is_over(deadline))
		return false;
	if (error != -ENOENT && error != -EPIPE && error != -EIDRM)
		return false;
	tick_sleep_until(tick_after(10 * TICK_MS));
	return true;
}

static void ask(const struct arguments *arguments, struct mqclient **client,
		const char *text, size_t text_bytes)
{
	int64_t deadline = tick_after(arguments->timeout_ns);
	char *reply = calloc(1, text_bytes + ANSWER_MORE);
	size_t text_max = 0;
	ssize_t n;

	if (!reply)
		die_errno(ENOMEM, "message of %zu bytes", text_bytes);
	do {
		n = 0;
		if (!*client)
			n = mqclient_open(client, arguments->target.key,
					  arguments->target.identity,
					  arguments->owner);
		if (n == 0) {
			text_max = mqclient_text_max(*client);
			n = ask_once(arguments, *client, text, text_bytes,
				     reply, deadline);
		}
		if (n < 0) {
			mqclient_close(*client);
			*client = NULL;
		}
	} while (n < 0 && may_retry(arguments, (int)n, deadline));
	if (n < 0)
		fail((int)n, arguments, text_bytes, text_max);
	print_response(reply, (size_t)n);
	free(reply);
}

static void ask_lines(const struct arguments *arguments,
		      struct mqclient **client)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, stdin)) >= 0) {
		if (len > 0 && line[len - 1] == '\n')
			len--;
		ask(arguments, client, line, (size_t)len);
	}
	free(line);
	if (ferror(stdin))
		die_errno(errno, "cannot read messages from standard input");
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.target.key = TARGET_KEY,
		.timeout_ns = 5 * TICK_S,
		.owner = GATE_NO_OTHER,
	};
	struct mqclient *client = NULL;

	parse(&arguments, argc, argv);
	if (arguments.message)
		ask(&arguments, &client, arguments.message,
		    strlen(arguments.message));
	else
		ask_lines(&arguments, &client);
	mqclient_close(client);
	return EXIT_SUCCESS;
}
