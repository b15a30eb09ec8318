/* calc_client - the command: one expression, or one a line from standard
 * input. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p02-fifo/client.h"
#include "p02-fifo/message.h"

struct arguments {
	struct client_options client;
	const char *expression; /* NULL: from standard input */
	int64_t timeout_ns;
	bool is_quiet;
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
		CLI_TEXT("fifo", 'f', "PATH", &a->client.path,
			 "Ask the server there (default /tmp/calc_server)"),
		CLI_DURATION("timeout", 't', "DUR", &a->timeout_ns, 0,
			     TICK_NEVER / 2,
			     "How long to wait, for a server and for each "
			     "answer (default 5s)"),
		CLI_ON("quiet", 'q', &a->is_quiet,
		       "Print results without \"Result: \""),
		CLI_MODE("mode", 'm', "OCTAL", &a->client.mode, 0600,
			 "Mode of the reply FIFO for a server of another user "
			 "where there are no access control lists (default "
			 "600, which lets root in; 622: everybody)"),
		CLI_CALL("server-user", 'u', "USER", find_user,
			 &a->client.owner,
			 "Whose the server's FIFO must be (default: you)"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Have calc_server evaluate EXPRESSION, or one a line "
		       "from standard input.\v"
		       "Example: ./calc_client '5 + 3'\n"
		       "Exit status: 0 a result, 1 an error or no server, 2 "
		       "usage.",
		.operands = "[EXPRESSION]",
		.most = 1,
		.options = options,
	};

	cli_parse(&command, argc, argv);
	a->expression = argv[1];
	if (!*a->client.path)
		die_usage("--fifo='': accepted is the path of a FIFO");
}

/* The reply FIFO is in the ledger while it is there: what a killed client leaves
 * is known to be that. */
static struct client *open_client(const struct arguments *arguments)
{
	const char *path = arguments->client.path;
	struct client *client;
	char usual[4096];
	bool is_named =
		fifo_reply_path(usual, sizeof(usual), path, getpid()) == 0;
	int rc;

	if (is_named)
		objname_claim(OBJNAME_FIFO, usual); /* advice: it may fail */
	rc = client_open(&client, &arguments->client);
	if (is_named && (rc || strcmp(usual, client_reply_path(client)) != 0))
		objname_release(OBJNAME_FIFO, usual);
	if (rc)
		die("cannot make a reply FIFO beside %s: %s", path,
		    fifo_describe(rc));
	objname_made(OBJNAME_FIFO, client_reply_path(client));
	return client;
}

static void close_client(struct client *client)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", client_reply_path(client));
	client_close(client);
	objname_release(OBJNAME_FIFO, path);
}

/* Why there was no answer; does not return. */
static _Noreturn void fail(int error, const char *expression,
			   const struct arguments *arguments,
			   struct client *client)
{
	const char *path = arguments->client.path;

	close_client(client);
	switch (error) {
	case -EINTR:
		exit(stop_exit_code());
	case -ENOENT:
		die("no server on %s", path);
	case -ETIMEDOUT:
		die("no answer from %s in time (--timeout)", path);
	case -EPIPE:
		die("the server on %s ended before it answered", path);
	case -ENOTUNIQ:
		die("%s is no FIFO of the expected user (--server-user)", path);
	case -EMSGSIZE:
		die_usage("expression of %zu bytes: accepted is up to %zu, "
			  "what one atomic write holds",
			  strlen(expression), MESSAGE_EXPRESSION_MAX);
	default:
		die_errno(error, "cannot ask %s", path);
	}
}

/* Print one answer; whether it was a result. */
static bool print_answer(const struct arguments *arguments,
			 enum expr_error error, int64_t value)
{
	if (error) {
		fflush(stdout);
		if (error == EXPR_DIVISION_BY_ZERO)
			fprintf(stderr, "Error: %s\n", expr_error_text(error));
		else
			fprintf(stderr, "Error: %s (column %" PRId64 ")\n",
				expr_error_text(error), value);
		return false;
	}
	printf("%s%" PRId64 "\n", arguments->is_quiet ? "" : "Result: ", value);
	fflush(stdout);
	return true;
}

static bool ask(const struct arguments *arguments, struct client *client,
		const char *expression)
{
	enum expr_error error;
	int64_t value;
	int rc = client_ask(client, expression,
			    tick_after(arguments->timeout_ns), &error, &value);

	if (rc)
		fail(rc, expression, arguments, client);
	return print_answer(arguments, error, value);
}

/* read(2) would sleep over a signal that came just before it. */
static ssize_t read_unless_stopped(void *unused, char *buf, size_t len)
{
	int rc = stop_wait(STDIN_FILENO, TICK_NEVER);

	(void)unused;
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return read(STDIN_FILENO, buf, len);
}

/* Expressions line by line; whether all had results. */
static bool ask_lines(const struct arguments *arguments, struct client *client)
{
	FILE *lines = fopencookie(
		NULL, "r",
		(cookie_io_functions_t){.read = read_unless_stopped});
	bool is_right = true, is_broken;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (!lines) {
		close_client(client);
		die("out of memory");
	}
	while (!stop_signal() && (len = getline(&line, &room, lines)) >= 0) {
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		if (len == 0)
			continue;
		if (strlen(line) != (size_t)len)
			is_right &= print_answer(arguments, EXPR_SYNTAX,
						 (int64_t)strlen(line) + 1);
		else
			is_right &= ask(arguments, client, line);
	}
	is_broken = ferror(lines);
	fclose(lines);
	free(line);
	if (stop_signal())
		fail(-EINTR, "", arguments, client);
	if (is_broken) {
		close_client(client);
		die("cannot read expressions from standard input");
	}
	return is_right;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.client = {.path = "/tmp/calc_server",
			   .owner = geteuid(),
			   .mode = 0600},
		.timeout_ns = 5 * TICK_S,
	};
	struct client *client;
	bool is_right;
	int rc;

	parse(&arguments, argc, argv);
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot handle signals");
	arguments.client.stop_fd = stop_fd();
	client = open_client(&arguments);
	is_right = arguments.expression
			   ? ask(&arguments, client, arguments.expression)
			   : ask_lines(&arguments, client);
	close_client(client);
	return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
