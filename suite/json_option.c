#include "suite/json_option.h"

#include "lib/cmd/cli.h"

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "One JSON object instead of the table", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*json = true;
	return 0;
}

bool json_option_parse(const char *command, const char *doc, int argc,
		       char **argv)
{
	const struct argp argp = {
		.options = options, .parser = parse, .doc = doc};
	bool json = false;

	cli_parse_command(&argp, command, argc, argv, &json);
	return json;
}
