/* checkup.h - one finding about this machine.
 *
 * limits.h, tools.h and site.h look at parts of the machine and hand each
 * finding to a function of the caller. They only look: no setting is changed,
 * nothing is mounted, and what must be tried is tried in a child.
 */
#ifndef UNIXIPC_SUITE_CHECKUP_H
#define UNIXIPC_SUITE_CHECKUP_H

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

#endif
