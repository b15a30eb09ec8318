#include "p09-reclock/cmd/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/identity.h"

struct reclock *arguments_try_open(const struct arguments *a,
				   unsigned int flags)
{
	const struct reclock_options options = {
		.flags = flags | (a->is_sync ? RECLOCK_SYNC : 0U),
		.record_bytes = a->record,
		.records = a->records,
	};
	struct reclock *store;
	const char *why;
	int error = reclock_open(&store, a->file, &options, &why);

	if (!error)
		return store;
	if (why)
		die_warn("cannot use '%s': %s", a->file, why);
	else if (error == -ENOENT && strcmp(a->verb, "get") == 0)
		die_warn("no key '%s': there is no file '%s'", a->operands[0],
			 a->file);
	else if (error == -ENOENT && !(flags & RECLOCK_CREATE))
		die_warn("there is no file '%s': `kvstore set` makes it",
			 a->file);
	else
		die_warn_errno(error, "cannot open '%s'", a->file);
	return NULL;
}

struct reclock *arguments_open(const struct arguments *a, unsigned int flags)
{
	struct reclock *store = arguments_try_open(a, flags);

	if (!store)
		exit(DIE_FAILURE);
	return store;
}

static void warn_timeout(const char *what, pid_t holder)
{
	if (holder > 0)
		die_warn("%s: timed out: process %d has the lock%s", what,
			 (int)holder,
			 identity_is_stopped(holder) ? " and is stopped" : "");
	else if (holder < 0)
		die_warn("%s: timed out: somebody has the lock", what);
	else
		die_warn("%s: timed out: others were quicker each time", what);
}

static void warn_deadlock(const char *what,
			  const struct reclock_trouble *trouble)
{
	die_warn("%s: deadlock of %u processes", what, trouble->waiters);
	for (unsigned int i = 0; i < trouble->waiters; i++) {
		const struct reclock_waiter *waiter = &trouble->waiter[i];

		die_warn("process %d waits for '%.*s'", (int)waiter->pid,
			 (int)waiter->wants.len, waiter->wants.text);
	}
}

void arguments_warn(const struct arguments *a, const struct reclock *store,
		    const char *key, int error)
{
	const struct reclock_trouble *trouble = reclock_trouble(store);
	struct reclock_stat stat;
	char what[160];

	if (key)
		snprintf(what, sizeof(what), "%s '%.100s'", a->verb, key);
	else
		snprintf(what, sizeof(what), "%s", a->verb);
	switch (error) {
	case -ENOENT:
		die_warn("no key '%s'", key ? key : "");
		break;
	case -ETIMEDOUT:
		warn_timeout(what, trouble->holder);
		break;
	case -EDEADLK:
		warn_deadlock(what, trouble);
		break;
	case -EBADMSG:
		die_warn("%s: damaged: group %u, slot %u; see `kvstore check`",
			 what, trouble->group, trouble->slot);
		break;
	case -EMSGSIZE:
		if (reclock_stat((struct reclock *)store, &stat))
			stat.record_bytes = 0;
		die_warn("%s: too long: key and value have %u bytes together "
			 "(--record, when the file is made)",
			 what, stat.record_bytes);
		break;
	case -ESTALE:
		die_warn("%s: another file took the place of '%s'", what,
			 a->file);
		break;
	case -EINVAL:
		die_warn("%s: the value is no number", what);
		break;
	case -ERANGE:
		die_warn("%s: the sum does not fit 64 bits", what);
		break;
	default:
		die_warn_errno(error, "%s, in '%s'", what, a->file);
	}
}

int arguments_status(int error)
{
	return error == -ETIMEDOUT || error == -EDEADLK ? DIE_TIMEOUT
							: DIE_FAILURE;
}

void arguments_die(const struct arguments *a, const struct reclock *store,
		   const char *key, int error)
{
	arguments_warn(a, store, key, error);
	exit(arguments_status(error));
}
