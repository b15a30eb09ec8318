/* calc_client - the command: one expression, many from standard input, or
 * numbers to be added to what the server keeps. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/call.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p16-rpc-calc/arith.h"
#include "p16-rpc-calc/cmd/expression.h"
#include "p16-rpc-calc/calcclient.h"

enum { WORDS_MAX = 64, LINES = CALC_BATCH_MAX };

struct arguments {
	struct call call;
	const char *const *words; /* after the host: operation, operands */
	size_t n;
};

static const char doc[] =
	"Have calc_server at HOST calculate.\v"
	"Example: ./calc_client localhost add 5 3\n" CALL_EXIT_STATUS;

static void parse(struct arguments *arguments, int argc, char **argv)
{
	struct call *call = &arguments->call;
	const struct cli_option options[] = {
		CALL_OPTIONS(call),
		CLI_COUNT("retries", 'r', "N", &call->client.retries, 0, 1000,
			  "How often to ask again when no reply came (default "
			  "4)"),
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
	call_check(call, argv[1]);
	arguments->words = (const char *const *)argv + 2;
	arguments->n = (size_t)n - 1;
}

/* ---- what went wrong ---- */

static _Noreturn void fail(const struct arguments *arguments,
			   const struct rpc_fault *fault)
{
	if (fault->kind == RPC_FAULT_VERSION && fault->high == CALC_VERS)
		die_status(rpc_fault_status(fault),
			   "the server at '%s' has version 1 only: add, "
			   "subtract and multiply of 32 bits",
			   arguments->call.host);
	call_fail(&arguments->call, fault);
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

static void evaluate(const struct arguments *arguments,
		     struct calcclient *client, const calc_expression *e)
{
	calc_answer answer;
	struct rpc_fault fault;

	if (calcclient_evaluate(client, e, 1, &answer, &fault))
		fail(arguments, &fault);
	if (answer.status)
		die_status(REFUSED, "%" PRId64 " %c %" PRId64 ": %s",
			   (int64_t)e->operands.a, arith_sign(e->operation),
			   (int64_t)e->operands.b,
			   answer.status == CALC_OVERFLOW &&
					   calcclient_version(client) ==
						   CALC_VERS
				   ? "the result does not fit 32 bits, and the "
				     "server has version 1 only"
				   : explain(answer.status));
	print_result(&answer);
}

static int evaluate_lines(const struct arguments *arguments,
			  struct calcclient *client)
{
	calc_expression expressions[LINES];
	calc_answer answers[LINES];
	struct rpc_fault fault;
	int status = EXIT_SUCCESS;
	size_t line = 0, n;

	while ((n = expression_read(stdin, &line, expressions, LINES)) > 0) {
		if (calcclient_evaluate(client, expressions, n, answers,
					&fault))
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

static void accumulate(const struct arguments *arguments,
		       struct calcclient *client, const int64_t *amounts,
		       size_t n)
{
	calc_answer answer;
	struct rpc_fault fault;

	for (size_t i = 0; i < n; i++) {
		if (calcclient_accumulate(client, amounts[i], &answer, &fault))
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

static struct calcclient *connect_to(const struct arguments *arguments)
{
	struct calcclient *client;
	struct rpc_fault fault;

	if (calcclient_open(&client, &arguments->call.client, &fault))
		fail(arguments, &fault);
	return client;
}

/* The command line is looked at as a whole before anybody is called. */
static int run(const struct arguments *arguments)
{
	int64_t amounts[WORDS_MAX] = {0};
	calc_expression expression;
	struct calcclient *client;
	int status = EXIT_SUCCESS;

	if (is_word(arguments, "batch")) {
		if (arguments->n > 1)
			die_usage("batch takes its expressions from standard "
				  "input, not '%s'",
				  arguments->words[1]);
		client = connect_to(arguments);
		status = evaluate_lines(arguments, client);
	} else if (is_word(arguments, "accumulate")) {
		if (arguments->n < 2)
			die_usage("accumulate takes one number or more");
		for (size_t i = 1; i < arguments->n; i++)
			amounts[i - 1] =
				expression_number("", arguments->words[i]);
		client = connect_to(arguments);
		accumulate(arguments, client, amounts, arguments->n - 1);
	} else {
		expression = expression_of("", arguments->words, arguments->n);
		client = connect_to(arguments);
		evaluate(arguments, client, &expression);
	}
	calcclient_close(client);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.call = {.client = {.program = CALC_PROG,
				    .timeout_ns = 5 * TICK_S,
				    .retries = 4},
			 .server = "calc_server"},
	};

	parse(&arguments, argc, argv);
	return run(&arguments);
}
