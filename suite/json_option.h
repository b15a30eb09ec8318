/* json_option.h - the command line of those commands of the suite whose only
 * option is --json. */
#ifndef UNIXIPC_SUITE_JSON_OPTION_H
#define UNIXIPC_SUITE_JSON_OPTION_H

#include <stdbool.h>

/* Whether it was given. word and doc are as of struct cli_command; --help and
 * bad usage end the process, as of cli_parse(). */
bool json_option_parse(const char *word, const char *doc, int argc,
		       char **argv);

#endif
