/* calc_server - the command: options, a line for each event, the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/objname.h"
#include "lib/visible.h"
#include "p02-fifo/fifo.h"
#include "p02-fifo/message.h"
#include "p02-fifo/server.h"

struct arguments {
	struct server_options server;
	bool is_quiet;
};

static void parse(struct arguments *a, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_TEXT("fifo", 'f', "PATH", &a->server.path,
			 "Listen there (default /tmp/calc_server)"),
		CLI_MODE("mode", 'm', "OCTAL", &a->server.mode, 0600,
			 "Mode of the FIFO (default 600); 622 lets all users "
			 "ask"),
		CLI_ON("quiet", 'q', &a->is_quiet, "Do not print each request"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Answer integer expressions that clients send through a "
		       "FIFO, until SIGINT, SIGTERM or SIGHUP.\v"
		       "Example: ./calc_server & ./calc_client '5 + 3'\n"
		       "Exit status: 0 stopped, 1 failed, 2 usage.",
		.options = options,
	};

	cli_parse(&command, argc, argv);
	if (!*a->server.path)
		die_usage("--fifo='': accepted is the path of a FIFO");
}

/* Other people's text, which is to steer no terminal. */
static void print_request(const struct server_event *event)
{
	char text[MESSAGE_EXPRESSION_MAX + 1];

	snprintf(text, sizeof(text), "%s", event->expression);
	visible_make(text, strlen(text));
	printf("Received: %s from client %d\n", text, (int)event->pid);
}

/* What a client left that was killed: the ledger knows which FIFO that was, and
 * whose, unless it was killed before it noted it: a name alone proves nothing.
 * Of what is another by now only the entry goes. */
static int clean_up(const struct objname_entry *entry, void *unused)
{
	(void)unused;
	if (entry->kind == OBJNAME_FIFO &&
	    strcmp(entry->program, "calc_client") == 0 &&
	    objname_judge_owner(entry) == OBJNAME_DEAD &&
	    objname_match(entry) != IDENTITY_CANNOT_TELL)
		objname_remove(entry);
	return 0;
}

static void print_event(const struct server_event *event, void *arg)
{
	const struct arguments *arguments = arg;

	if (event->kind == SERVER_RENEWED) {
		objname_made(OBJNAME_FIFO, arguments->server.path);
		die_warn("%s was removed by somebody else, and is made anew",
			 arguments->server.path);
	}
	if (event->kind == SERVER_DROPPED && event->error == -ENXIO)
		objname_each(clean_up, NULL); /* it was killed before that */

	if (event->kind == SERVER_DROPPED)
		die_warn("no answer for client %d, dropped: %s: %s",
			 (int)event->pid, event->reply_path,
			 fifo_describe(event->error));
	if (event->kind == SERVER_GARBAGE)
		die_warn("skipped %" PRIu64 " bytes that were no request",
			 event->skipped);
	if (arguments->is_quiet)
		return;
	if (event->kind == SERVER_RECEIVED) {
		print_request(event);
	} else if (event->kind == SERVER_ANSWERED) {
		if (event->result_error)
			printf("Sending response: Error: %s to %s\n",
			       expr_error_text(event->result_error),
			       event->reply_path);
		else
			printf("Sending response: %" PRId64 " to %s\n",
			       event->value, event->reply_path);
	}
	fflush(stdout);
}

static _Noreturn void refuse(int error, const char *path)
{
	if (error == -EADDRINUSE)
		die("cannot listen on %s: another server does", path);
	if (error == -ENOTUNIQ)
		die("cannot listen on %s: it exists and is no FIFO of this "
		    "user; remove it or use --fifo=PATH",
		    path);
	die_errno(error, "cannot listen on %s", path);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.server = {.path = "/tmp/calc_server",
			   .mode = 0600,
			   .on_event = print_event,
			   .arg = &arguments},
	};
	const char *path;
	struct server *server;
	bool is_ours;
	int rc;

	parse(&arguments, argc, argv);
	out_as_log();
	path = arguments.server.path;
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot handle signals");
	objname_claim(OBJNAME_FIFO, path); /* advice: it may fail */
	rc = server_create(&server, &arguments.server);
	if (rc) {
		objname_release(OBJNAME_FIFO, path);
		refuse(rc, path);
	}
	if (server_is_new(server))
		objname_made(OBJNAME_FIFO, path);
	objname_each(clean_up, NULL);
	printf("Server listening on %s...\n", path);
	/* Who cannot say so (a full disk) need not begin: lib/cmd/out reports it
	 * at exit. */
	rc = fflush(stdout) == 0 ? server_run(server, stop_fd()) : 0;
	/* Another program's, of this user, is served and left. */
	is_ours = server_is_new(server) || objname_is_noted(OBJNAME_FIFO, path);
	if (is_ours)
		server_remove(server);
	else
		server_abandon(server);
	objname_release(OBJNAME_FIFO, path);
	if (rc == -EEXIST)
		die("%s was removed by somebody else, and another is there by "
		    "now",
		    path);
	if (rc)
		die("cannot go on reading %s: %s", path, fifo_describe(rc));
	return EXIT_SUCCESS;
}
