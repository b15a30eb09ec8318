/* calc_client - the command: one expression, many from standard input, or
 * numbers to be added to what the server keeps. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cli.h"
#include "lib/die.h"
#include "lib/tick.h"
#include "p16-rpc-calc/calc.h"
#include "p16-rpc-calc/expression.h"
#include "p16-rpc-calc/remote.h"

enum { WORDS_MAX = 64 };

struct arguments {
	struct remote_options remote;
	const char *words[WORDS_MAX]; /* after the host: operation, operands */
	size_t n;
};

static const struct argp_option options[] = {
	{"transport", 't', "NAME", 0,
	 "tcp (the default), udp, or unix: HOST is then the path of a socket",
	 0},
	{"port", 'p', "N", 0, "The server's port, instead of asking rpcbind",
	 0},
	{"timeout", 'T', "DUR", 0,
	 "How long to wait for each reply (default 5s)", 0},
	{"retries", 'r', "N", 0,
	 "How often to ask again when no reply came (default 2)", 0},
	{0},
};

static bool is_negative_number(const char *word)
{
	return word[0] == '-' && isdigit((unsigned char)word[1]);
}

static void add_word(struct arguments *arguments, const char *word)
{
	if (arguments->n == WORDS_MAX)
		die_usage("more than %d operands", WORDS_MAX - 1);
	arguments->words[arguments->n++] = word;
}

/* To argp -5 is an option: take such words before it sees them. */
static void take_negative_numbers(struct arguments *arguments,
				  struct argp_state *state)
{
	while (state->next < state->argc &&
	       is_negative_number(state->argv[state->next]))
		add_word(arguments, state->argv[state->next++]);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const transports[] = {"tcp", "udp", "unix", NULL};
	struct arguments *arguments = state->input;

	switch (key) {
	case 't':
		arguments->remote.transport =
			cli_word("--transport", arg, transports);
		break;
	case 'p':
		arguments->remote.port =
			(uint16_t)cli_count("--port", arg, 1, UINT16_MAX);
		break;
	case 'T':
		arguments->remote.timeout_ns =
			cli_duration("--timeout", arg, TICK_MS, 3600 * TICK_S);
		break;
	case 'r':
		arguments->remote.retries =
			(unsigned int)cli_count("--retries", arg, 0, 1000);
		break;
	case ARGP_KEY_ARG:
		if (!arguments->remote.host)
			arguments->remote.host = arg;
		else
			add_word(arguments, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (arguments->remote.host)
		take_negative_numbers(arguments, state);
	return 0;
}
