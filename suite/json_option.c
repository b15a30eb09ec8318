#include "suite/json_option.h"

#include "lib/cmd/cli.h"

bool json_option_parse(const char *word, const char *doc, int argc, char **argv)
{
	bool is_json = false;
	const struct cli_option options[] = {
		CLI_ON("json", 'j', &is_json,
		       "One JSON object instead of the table"),
		{0},
	};
	const struct cli_command command = {
		.word = word, .doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	return is_json;
}
