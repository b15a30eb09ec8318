/* tools.h - the programs that the suite and the READMEs run. */
#ifndef UNIXIPC_SUITE_TOOLS_H
#define UNIXIPC_SUITE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "suite/checkup.h"

/* Look for each in PATH. None is needed to measure, so none is MISSING. */
void tools_check(checkup_visit *visit, void *arg);

/* Whether PATH leads to an executable file of that name, and to which (cut to
 * size). Directories in PATH that are not absolute do not count. */
bool tools_find(const char *name, char *path, size_t size);

#endif
