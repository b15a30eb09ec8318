/* checkup.h - what this machine offers to the suite, finding by finding.
 *
 * Each part of the machine, in a file of its own, is looked at, and each finding
 * handed to a function of the caller. No setting is changed, nothing is mounted,
 * and what must be tried is tried in a child.
 */
#ifndef UNIXIPC_SUITE_CHECKUP_H
#define UNIXIPC_SUITE_CHECKUP_H

#include <stdbool.h>
#include <stddef.h>

enum checkup_level {
	CHECKUP_OK,
	CHECKUP_ADVICE,  /* all works, but something is lost by it */
	CHECKUP_MISSING, /* the suite cannot do its work like this */
};

/* Texts are good until the function that was given it returns. */
struct checkup_finding {
	enum checkup_level level;
	const char *subject; /* "kernel.msgmax" */
	const char *value;   /* "8192" */
	const char *why;     /* what is lost by it; unless OK */
	const char *fix;     /* a command to type; unless OK */
};

typedef void checkup_visit(const struct checkup_finding *finding, void *arg);

/* How much IPC this machine and this user may have: the kernel's limits in
 * /proc/sys, those of this process (getrlimit), /dev/shm and /dev/mqueue. */
void checkup_limits(checkup_visit *visit, void *arg);

/* The surroundings: processors, rpcbind, namespaces, leftovers. Ends within
 * CHECKUP_TIMEOUT_MS for each that has to answer. */
#define CHECKUP_TIMEOUT_MS 2000
void checkup_environment(checkup_visit *visit, void *arg);

/* The programs that the suite and the READMEs run, looked for in PATH. None is
 * needed to measure, so none is MISSING. */
void checkup_tools(checkup_visit *visit, void *arg);

/* Whether PATH leads to an executable file of that name, and to which (cut to
 * size). Directories in PATH that are not absolute do not count. */
bool checkup_find_tool(const char *name, char *path, size_t size);

#endif
