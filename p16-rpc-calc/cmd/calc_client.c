/* calc_client - the command: one expression, many from standard input, or
 * numbers to be added to what the server keeps. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/rpc/rpc_bind.h"
#include "lib/rpc/rpc_trace.h"
#include "lib/tick.h"
#include "p16-rpc-calc/arith.h"
#include "p16-rpc-calc/cmd/expression.h"
#include "p16-rpc-calc/remote.h"

enum { WORDS_MAX = 64, LINES = CALC_BATCH_MAX };

struct arguments {
	struct remote_options remote;
	const char *const *words; /* after the host: operation, operands */
	size_t n;
	bool is_traced;
};

static const char doc[] =
	"Have calc_server at HOST calculate.\v"
	"Example: ./calc_client localhost add 5 3\n"
	"Exit status: 0 done, 1 failed here, 2 usage, 3 whether it was done "
	"is unknown, 4 not reached, 5 not registered or no rpcbind, "
	"6 the server has not that version or operation, 7 authentication "
	"refused, 8 refused or not understood by the server.";

static void trace(bool is_sent, const uint8_t *message, size_t n, void *arg)
{
	char *text = rpc_trace_text(is_sent, message, n);

	(void)arg;
	if (text)
		fputs(text, stderr);
	free(text);
}

static void parse(struct arguments *arguments, int argc, char **argv)
{
	static const char *const transports[] = {"tcp", "udp", "unix", NULL};
	struct remote_options *remote = &arguments->remote;
	const struct cli_option options[] = {
		CLI_WORD("transport", 't', "NAME", &remote->transport,
			 transports,
			 "tcp (the default), udp, or unix: HOST is then the "
			 "path of a socket"),
		CLI_COUNT("port", 'p', "N", &remote->port, 1, UINT16_MAX,
			  "The server's port, instead of asking rpcbind"),
		CLI_DURATION("timeout", 'T', "DUR", &remote->timeout_ns,
			     TICK_MS, 3600 * TICK_S,
			     "How long a call may take, with all its retries "
			     "(default 5s)"),
		CLI_COUNT("retries", 'r', "N", &remote->retries, 0, 1000,
			  "How often to ask again when no reply came (default "
			  "4)"),
		CLI_ON("trace", 'x', &arguments->is_traced,
		       "Show each word of the calls and replies on standard "
		       "error"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "HOST add|subtract|multiply|divide A B\n"
			    "HOST accumulate NUMBER...\n"
			    "HOST batch",
		.most = INT_MAX,
		.options = options,
	};
	int n = cli_parse(&command, argc, argv);

	if (n == 0)
		die_usage("no host: as in calc_client localhost add 5 3");
	if (n - 1 > WORDS_MAX)
		die_usage("more than %d operands", WORDS_MAX - 1);
	if (arguments->is_traced)
		remote->trace = trace;
	remote->host = argv[1];
	arguments->words = (const char *const *)argv + 2;
	arguments->n = (size_t)n - 1;
}

/* ---- what went wrong ---- */

static _Noreturn void fail(const struct arguments *arguments,
			   const struct rpc_fault *fault)
{
	const struct remote_options *remote = &arguments->remote;
	int status = rpc_fault_status(fault);
	char text[256];

	rpc_fault_text(fault, text, sizeof(text));
	switch (fault->kind) {
	case RPC_FAULT_NO_RPCBIND:
		die_status(status,
			   "no rpcbind at '%s' to ask for the port: %s, or "
			   "give the port (--port): %s",
			   remote->host, rpc_bind_remedy(-fault->error), text);
	case RPC_FAULT_NOT_REGISTERED:
		die_status(status,
			   "no calculator (program 0x%08x) at '%s' for %s: is "
			   "calc_server running there? %s",
			   CALC_PROG, remote->host,
			   rpc_auth_transport_name(remote->transport), text);
	case RPC_FAULT_VERSION:
		if (fault->high == CALC_VERS)
			die_status(
				status,
				"the server at '%s' has version 1 only: add, "
				"subtract and multiply of 32 bits",
				remote->host);
		die_status(status, "the server at '%s': %s", remote->host,
			   text);
	default:
		die_status(status, "'%s': %s", remote->host, text);
	}
}

/* What the server said in place of a number. */
static const char *explain(calc_status status)
{
	switch (status) {
	case CALC_OVERFLOW:
		return "the result does not fit 64 bits";
	case CALC_DIVISION_BY_ZERO:
		return "division by zero";
	case CALC_OUT_OF_ORDER:
		return "the server does not know the request before this one";
	case CALC_TOO_MANY_CLIENTS:
		return "the server remembers as many clients as it can: try "
		       "again later";
	default:
		return "the server knows no such operation";
	}
}

enum { REFUSED = 8 }; /* by the server, after it had understood */

/* ---- what to do ---- */

static void print_result(const calc_answer *answer)
{
	printf("Result: %" PRId64 "\n", (int64_t)answer->calc_answer_u.value);
}

static void evaluate(const struct arguments *arguments, struct remote *remote,
		     const calc_expression *e)
{
	enum arith_operation operation = (enum arith_operation)e->operation;
	calc_answer answer;
	struct rpc_fault fault;

	if (remote_evaluate(remote, e, 1, &answer, &fault))
		fail(arguments, &fault);
	if (answer.status)
		die_status(REFUSED, "%" PRId64 " %c %" PRId64 ": %s",
			   (int64_t)e->operands.a, arith_sign(operation),
			   (int64_t)e->operands.b,
			   answer.status == CALC_OVERFLOW &&
					   remote_version(remote) == CALC_VERS
				   ? "the result does not fit 32 bits, and the "
				     "server has version 1 only"
				   : explain(answer.status));
	print_result(&answer);
}

static int evaluate_lines(const struct arguments *arguments,
			  struct remote *remote)
{
	calc_expression expressions[LINES];
	calc_answer answers[LINES];
	struct rpc_fault fault;
	int status = EXIT_SUCCESS;
	size_t line = 0, n;

	while ((n = expression_read(stdin, &line, expressions, LINES)) > 0) {
		if (remote_evaluate(remote, expressions, n, answers, &fault))
			fail(arguments, &fault);
		for (size_t i = 0; i < n; i++) {
			if (answers[i].status == CALC_DONE) {
				print_result(&answers[i]);
				continue;
			}
			printf("Error: %s\n", explain(answers[i].status));
			status = REFUSED;
		}
		fflush(stdout);
	}
	return status;
}

static void accumulate(const struct arguments *arguments, struct remote *remote,
		       const int64_t *amounts, size_t n)
{
	calc_answer answer;
	struct rpc_fault fault;

	for (size_t i = 0; i < n; i++) {
		if (remote_accumulate(remote, amounts[i], &answer, &fault))
			fail(arguments, &fault);
		if (answer.status)
			die_status(REFUSED, "accumulate %" PRId64 ": %s",
				   amounts[i], explain(answer.status));
		print_result(&answer);
		fflush(stdout);
	}
}

static bool is_word(const struct arguments *arguments, const char *word)
{
	return arguments->n > 0 && strcmp(arguments->words[0], word) == 0;
}

static struct remote *connect_to(const struct arguments *arguments)
{
	struct remote *remote;
	struct rpc_fault fault;

	if (remote_open(&remote, &arguments->remote, &fault))
		fail(arguments, &fault);
	return remote;
}

/* The command line is looked at as a whole before anybody is called. */
static int run(const struct arguments *arguments)
{
	int64_t amounts[WORDS_MAX];
	calc_expression expression;
	struct remote *remote;
	int status = EXIT_SUCCESS;

	if (is_word(arguments, "batch")) {
		if (arguments->n > 1)
			die_usage("batch takes its expressions from standard "
				  "input, not '%s'",
				  arguments->words[1]);
		remote = connect_to(arguments);
		status = evaluate_lines(arguments, remote);
	} else if (is_word(arguments, "accumulate")) {
		if (arguments->n < 2)
			die_usage("accumulate takes one number or more");
		for (size_t i = 1; i < arguments->n; i++)
			amounts[i - 1] =
				expression_number("", arguments->words[i]);
		remote = connect_to(arguments);
		accumulate(arguments, remote, amounts, arguments->n - 1);
	} else {
		expression = expression_of("", arguments->words, arguments->n);
		remote = connect_to(arguments);
		evaluate(arguments, remote, &expression);
	}
	remote_close(remote);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.remote = {.timeout_ns = 5 * TICK_S, .retries = 4},
	};

	parse(&arguments, argc, argv);
	return run(&arguments);
}
